/**
 * Finds the first code of the network along the causes of an error.
 *
 * Words of a service are no codes. Examples: `fetch failed` was caused by `ECONNREFUSED`, `terminated` by `UND_ERR_SOCKET`.
 */
export function findNetworkCode(error: unknown): string | undefined {
  let cause: unknown = error;
  for (let depth = 0; depth < 5 && typeof cause === 'object' && cause !== null; depth += 1) {
    const { code, cause: next } = cause as { readonly code?: unknown; readonly cause?: unknown };
    if (typeof code === 'string' && /^[A-Z][A-Z0-9_]+$/.test(code)) return code;
    cause = next;
  }
  return undefined;
}
