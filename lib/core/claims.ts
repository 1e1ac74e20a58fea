/** The claims of a verified token. */
type Claims = Readonly<Record<string, unknown>>;

/**
 * Reads a claim by its name, or by a path with dots (`app_metadata.tenant`).
 * A claim whose own name holds dots, such as a URL, is found first. Undefined: there is none.
 */
export function readClaim(claims: Claims, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path];
  let value: unknown = claims;
  for (const step of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Claims)[step];
  }
  return value;
}

/**
 * A claim as text; a claim that is a list, an object or empty names nobody, and is undefined.
 * `*` is all claims as JSON, which policies of Supabase and PostgREST read.
 */
export function readClaimText(claims: Claims, path: string): string | undefined {
  if (path === '*') return JSON.stringify(claims);
  const value = readClaim(claims, path);
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  return typeof value === 'string' && value !== '' && !value.includes('\0') ? value : undefined;
}

/** What a caller's claims say at paths, in their order; null where a claim says nothing. */
export function pickClaims(claims: Claims | undefined, paths: readonly string[]): readonly (string | null)[] {
  return paths.map(path => readClaimText(claims ?? {}, path) ?? null);
}
