import * as z from 'zod';
import { wholeNumber, word } from './leaf-schemas.ts';
import { claimPaths } from './service-schema.ts';

const issuerExpectation = 'expected the `iss` of tokens, an address such as https://login.example.com/';

/**
 * The optional section `api` of a stage.
 * It makes the embedding service: an HTTP API that asks for tokens, and a function behind it.
 */
export const apiSection = z.strictObject(
  {
    /** AWS looks for the keys at `<issuer>/.well-known/openid-configuration`. */
    issuer: word(issuerExpectation).refine(address => URL.parse(address)?.protocol === 'https:', {
      error: issuerExpectation,
    }),
    audience: word('expected the `aud` of tokens, or their `client_id`'),
    /** Undefined: those of `service.tokens.claims`. */
    claims: claimPaths.optional(),
    /** Requests at once. Each takes an environment, which the account keeps for the service. */
    environments: wholeNumber(1, 1000).default(5),
    /** Requests above this rate are answered with 429 before a function is asked. */
    requestsPerSecond: wholeNumber(1, 10_000).default(50),
  },
  { error: 'expected an object such as { issuer: "https://login.example.com/", audience: "search" }' },
);

export type ApiSection = z.output<typeof apiSection>;
