import type { SQSClientConfig } from '@aws-sdk/client-sqs';

type Credentials = NonNullable<SQSClientConfig['credentials']>;

export interface ClientAccess {
  /** Undefined: the SDK's own chain, of environment and profile. */
  readonly region?: string | undefined;
  /** One of the person's own; undefined: the SDK's own chain. */
  readonly profile?: string | undefined;
  /** An address that takes the service's place, as a local server in tests. Queue URLs with another host are sent there too. */
  readonly endpoint?: string | undefined;
  /** Undefined: the SDK's own chain, which in Lambda is the function's role. */
  readonly credentials?: Credentials | undefined;
  /** How long one request may take. Undefined: what fits the service. */
  readonly requestTimeoutMs?: number | undefined;
  /** A call and its repeats. Undefined: three, as the SDK's standard mode has them. */
  readonly maxAttempts?: number | undefined;
}

/** A function is told its region. */
export interface AwsAccess extends ClientAccess {
  readonly region: string;
}

const MAX_ATTEMPTS = 3;

/**
 * What every client is made with. The SDK only warns of a request that takes too long unless it is told to throw, and its default for
 * how often it tries has changed between versions: so both are said.
 */
export function clientSettings(access: ClientAccess, defaults: { readonly requestTimeoutMs: number }) {
  const requestTimeoutMs = access.requestTimeoutMs ?? defaults.requestTimeoutMs;
  return {
    ...(access.region === undefined ? {} : { region: access.region }),
    ...(access.profile === undefined ? {} : { profile: access.profile }),
    ...(access.endpoint === undefined ? {} : { endpoint: access.endpoint }),
    ...(access.credentials === undefined ? {} : { credentials: access.credentials }),
    maxAttempts: access.maxAttempts ?? MAX_ATTEMPTS,
    retryMode: 'standard',
    requestHandler: {
      connectionTimeout: 2_000,
      requestTimeout: requestTimeoutMs,
      // Between two pieces of a body: the time of the request ends with its headers.
      socketTimeout: requestTimeoutMs,
      throwOnRequestTimeout: true,
    },
  };
}
