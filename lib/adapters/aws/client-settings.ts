import type { SQSClientConfig } from '@aws-sdk/client-sqs';

type Credentials = NonNullable<SQSClientConfig['credentials']>;

export interface AwsAccess {
  readonly region: string;
  /** An address that takes the service's place, as a local server in tests. Queue URLs with another host are sent there too. */
  readonly endpoint?: string | undefined;
  /** Undefined: the SDK's own chain, which in Lambda is the function's role. */
  readonly credentials?: Credentials | undefined;
  /** How long one request may take. Undefined: what fits the service. */
  readonly requestTimeoutMs?: number | undefined;
}

/** A call and its repeats: three attempts, as the SDK's standard mode has them. */
export const MAX_ATTEMPTS = 3;

/**
 * What every client is made with. The SDK only warns of a request that takes too long unless it is told to throw, and its default for
 * how often it tries has changed between versions: so both are said.
 */
export function clientSettings(access: AwsAccess, defaults: { readonly requestTimeoutMs: number }) {
  const requestTimeoutMs = access.requestTimeoutMs ?? defaults.requestTimeoutMs;
  return {
    region: access.region,
    ...(access.endpoint === undefined ? {} : { endpoint: access.endpoint }),
    ...(access.credentials === undefined ? {} : { credentials: access.credentials }),
    maxAttempts: MAX_ATTEMPTS,
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
