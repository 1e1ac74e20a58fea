import * as z from 'zod';
import { isLoopbackHost } from '../providers.ts';
import type { ConfigProblem } from './describe-issues.ts';
import { wholeNumber, word } from './leaf-schemas.ts';

const environmentVariable = z.strictObject(
  { env: word("expected the name of a variable, such as 'SERVICE_SECRET'") },
  { error: "expected { env: 'NAME' }: the secret is read from that variable, and stands nowhere else" },
);

/** Algorithms of tokens that are signed with a key pair. */
const KEY_PAIR_ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'ES256', 'ES384', 'EdDSA'] as const;

const tokensExpectation =
  'expected an object such as { issuer, audience, jwksUrl }, or with ' +
  "secret: { env: 'NAME' } in place of jwksUrl";

/** Where a token says whose it is and what it may do: names of claims, or paths with dots. */
export const claimPaths = z.strictObject(
  {
    tenant: word("expected the path of a claim, such as 'app_metadata.tenant'").default('tenant'),
    /** Undefined: every token that passes may embed and search. */
    scopes: word("expected the path of a claim, such as 'scope'").optional(),
  },
  { error: "expected an object such as { tenant: 'tenant', scopes: 'scope' }" },
);

const tokens = z.strictObject(
  {
    issuer: word('expected the `iss` of tokens'),
    audience: word('expected the `aud` of tokens'),
    /** Where the public keys are published. */
    jwksUrl: word('expected a URL such as https://login.example.com/.well-known/jwks.json')
      .refine(isKeyAddress, { error: 'expected an https address, or http on this machine' })
      .optional(),
    /** A shared secret, for tokens signed with HS256. */
    secret: environmentVariable.optional(),
    algorithms: z
      .array(z.enum(KEY_PAIR_ALGORITHMS, { error: `expected one of ${KEY_PAIR_ALGORITHMS.join(', ')}` }), {
        error: 'expected an array of algorithms',
      })
      .min(1, { error: 'expected at least one algorithm' })
      .optional(),
    claims: claimPaths.optional(),
  },
  { error: tokensExpectation },
);

function isKeyAddress(address: string): boolean {
  const url = URL.parse(address);
  return url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopbackHost(url.hostname));
}

const limits = z.strictObject(
  {
    queueTokens: wholeNumber(1, 100_000_000).default(200_000),
    /** Longest time in the queue and the call; undefined: a third of `timeoutSeconds`. */
    queueSeconds: wholeNumber(1, 600).optional(),
    batchTokens: wholeNumber(1, 10_000_000).default(8192),
    cacheBytes: wholeNumber(0, 10_000_000_000).default(64 * 1024 * 1024),
    timeoutSeconds: wholeNumber(1, 600).default(30),
    connections: wholeNumber(1, 100_000).default(1000),
    bodyBytes: wholeNumber(1, 100_000_000).default(2 * 1024 * 1024),
    /** Of each tenant; undefined: as many as the queue takes. */
    requestsPerMinute: wholeNumber(1, 10_000_000).optional(),
  },
  { error: 'expected an object such as { queueTokens: 200000 }' },
);

/** How `freshet serve` answers clients. */
export const serviceSection = z.strictObject(
  {
    host: word('expected an address or a name of this machine').default('127.0.0.1'),
    port: wholeNumber(1, 65_535).default(8080),
    /** Names, beside those of the loopback address and `host`, that requests may ask for. */
    allowedHosts: z
      .array(word('expected a host such as embeddings.internal'), { error: 'expected an array of hosts' })
      .default([]),
    tokens: tokens.optional(),
    limits: limits.prefault({}),
  },
  { error: 'expected an object such as { port: 8080 }' },
);

export type ServiceSection = z.output<typeof serviceSection>;

/** Checks what one key of the section must know of another. */
export function findServiceProblems({ tokens: found, limits: bounds }: ServiceSection): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const { queueSeconds = 0, timeoutSeconds } = bounds;
  if (queueSeconds > timeoutSeconds)
    problems.push({
      path: 'service.limits.queueSeconds',
      message: `expected at most timeoutSeconds (${timeoutSeconds}): whoever waits longer gets no answer`,
    });
  if (found === undefined) return problems;
  if ((found.jwksUrl === undefined) === (found.secret === undefined))
    problems.push({
      path: 'service.tokens',
      message: 'expected one of jwksUrl and secret: where the keys of tokens are',
    });
  if (found.secret !== undefined && found.algorithms !== undefined)
    problems.push({
      path: 'service.tokens.algorithms',
      message: 'stands beside secret, which is for HS256 alone; leave it out',
    });
  return problems;
}
