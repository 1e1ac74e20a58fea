import type { JWTVerifyGetKey, JWTVerifyOptions } from 'jose';
import { readClaim, readClaimText } from '../../core/claims.ts';
import type { ServiceSection } from '../../core/config/service-schema.ts';
import { UsageError } from '../../core/errors.ts';

/** Why a token does not let in. It is logged; the client is told that it is not let in. */
type TokenFault =
  | 'missing'
  | 'malformed'
  | 'algorithm'
  | 'unknown_key'
  | 'signature'
  | 'expired'
  | 'not_yet_valid'
  | 'issuer'
  | 'audience'
  | 'claim'
  | 'keys_unreachable';

/** Who a token that passed is of. */
export interface TokenIdentity {
  /** Undefined: the token names none. */
  readonly tenant: string | undefined;
  /** Undefined: the configuration names no claim of scopes, and every token may do what most do. */
  readonly scopes: ReadonlySet<string> | undefined;
  readonly claims: Readonly<Record<string, unknown>>;
}

/**
 * Checks the header `authorization` of a request.
 * `host` is what hosts the application says of the request; whoever reads the header needs none.
 */
export type VerifyToken = (
  authorization: string | undefined,
  host?: unknown,
) => Promise<
  { readonly fault: TokenFault } | { readonly fault?: undefined; readonly identity: TokenIdentity }
>;

/** Bytes of a secret for HS256, at least (RFC 7518, section 3.2). */
const LEAST_SECRET_BYTES = 32;
const CLOCK_TOLERANCE_SECONDS = 5;
const DEFAULT_CLAIMS = { tenant: 'tenant' };
/** Longer tokens are refused unread. */
const MAX_TOKEN_LENGTH = 8192;

/**
 * Makes the check of bearer tokens, which are JWTs.
 * The algorithms are those of the configuration and never those of the token: a token without a
 * signature, or one signed with the public key as a shared secret, is refused before any key is
 * looked at.
 * @throws UsageError where the variable of the secret is not set or too short
 */
export async function createTokenCheck(
  tokens: NonNullable<ServiceSection['tokens']>,
  variables: Readonly<Record<string, string | undefined>>,
): Promise<VerifyToken> {
  const { createRemoteJWKSet, errors, jwtVerify } = await import('jose');
  const { issuer, audience, jwksUrl, secret, claims } = tokens;
  const algorithms = secret === undefined ? (tokens.algorithms ?? ['RS256', 'ES256', 'EdDSA']) : ['HS256'];
  const options: JWTVerifyOptions = {
    ...{ issuer, audience, algorithms, requiredClaims: ['exp'] },
    clockTolerance: CLOCK_TOLERANCE_SECONDS,
  };
  const shared = secret === undefined ? undefined : readSecret(secret.env, variables);
  const remote = jwksUrl === undefined ? undefined : createRemoteJWKSet(new URL(jwksUrl));
  const getKey: JWTVerifyGetKey = async (header, token) => shared ?? remote!(header, token);

  const nameFault = (error: unknown): TokenFault => {
    if (error instanceof errors.JWTExpired) return 'expired';
    if (error instanceof errors.JWTClaimValidationFailed) return CLAIM_FAULTS[error.claim] ?? 'claim';
    if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JOSENotSupported)
      return 'algorithm';
    if (error instanceof errors.JWSSignatureVerificationFailed) return 'signature';
    if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys)
      return 'unknown_key';
    if (error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid) return 'malformed';
    return 'keys_unreachable';
  };
  return async authorization => {
    const [, token] = /^Bearer +([\w.~+/=-]+)$/i.exec(authorization ?? '') ?? [];
    if (token === undefined) return { fault: authorization === undefined ? 'missing' : 'malformed' };
    if (token.length > MAX_TOKEN_LENGTH) return { fault: 'malformed' };
    try {
      const { payload } = await jwtVerify(token, getKey, options);
      return readIdentity(payload, claims);
    } catch (error) {
      return { fault: nameFault(error) };
    }
  };
}

export interface TokenContents {
  readonly tenant: string | undefined;
  readonly scopes: readonly string[];
  readonly expiresInMs: number;
}

/**
 * Issues a token that `createTokenCheck` lets in, signed with the shared secret.
 * Tenant and scopes stand where the configuration looks for them.
 * @throws UsageError where the variable of the secret is not set or too short
 */
export async function issueToken(
  { issuer, audience, secret, claims = DEFAULT_CLAIMS }: NonNullable<ServiceSection['tokens']>,
  { tenant, scopes, expiresInMs }: TokenContents,
  variables: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const { SignJWT } = await import('jose');
  const payload = {
    ...(tenant !== undefined && nestClaim(claims.tenant, tenant)),
    ...nestClaim(claims.scopes ?? 'scope', scopes.join(' ')),
  };
  return new SignJWT(payload)
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setIssuer(issuer)
    .setAudience(audience)
    .setIssuedAt()
    .setExpirationTime(new Date(Date.now() + expiresInMs))
    .sign(readSecret(secret?.env ?? '', variables));
}

/** A claim at its path; the name of a claim that is a URL stays whole. */
function nestClaim(path: string, value: string): Record<string, unknown> {
  const steps = path.includes('/') ? [path] : path.split('.');
  return steps.reduceRight<unknown>((inner, step) => ({ [step]: inner }), value) as Record<string, unknown>;
}

/** Where a token says whose it is and what it may do. */
export type ClaimPaths = NonNullable<NonNullable<ServiceSection['tokens']>['claims']>;

/**
 * Reads who a token is of, from claims that were verified.
 * A list or an object names no tenant, and must not count as a token of none.
 */
export function readIdentity(
  payload: TokenIdentity['claims'],
  { tenant: path, scopes }: ClaimPaths = DEFAULT_CLAIMS,
): Awaited<ReturnType<VerifyToken>> {
  const tenant = readClaimText(payload, path);
  if (tenant === undefined && readClaim(payload, path) != null) return { fault: 'claim' };
  const words = scopes === undefined ? undefined : new Set(readWords(readClaim(payload, scopes)));
  return { identity: { tenant, scopes: words, claims: payload } };
}

/** Scopes stand as words of one text (RFC 8693) or as a list. */
export function readWords(claim: unknown): readonly string[] {
  if (Array.isArray(claim)) return claim.filter(word => typeof word === 'string');
  return typeof claim === 'string' ? claim.split(' ') : [];
}

const CLAIM_FAULTS: Readonly<Record<string, TokenFault>> = {
  iss: 'issuer',
  aud: 'audience',
  nbf: 'not_yet_valid',
};

function readSecret(name: string, variables: Readonly<Record<string, string | undefined>>): Uint8Array {
  const bytes = new TextEncoder().encode(variables[name] ?? '');
  if (bytes.length >= LEAST_SECRET_BYTES) return bytes;
  throw new UsageError(
    `service.tokens.secret: the variable ${name} is not set, or holds fewer than ` +
      `${LEAST_SECRET_BYTES} bytes.`,
    `export ${name}="$(openssl rand -hex 32)"`,
  );
}
