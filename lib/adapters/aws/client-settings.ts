import type { SQSClientConfig } from '@aws-sdk/client-sqs';

type Credentials = NonNullable<SQSClientConfig['credentials']>;

/** How a client reaches AWS. Undefined values are left to the SDK. */
export interface ClientAccess {
  /** The region. Undefined: the SDK's own chain of environment and profile. */
  readonly region?: string | undefined;
  /** A profile of the person's own. Undefined: the SDK's own chain. */
  readonly profile?: string | undefined;
  /**
   * An address that replaces the service's, as that of a local server in tests.
   * Requests for queue URLs with another host are sent there too.
   */
  readonly endpoint?: string | undefined;
  /** The credentials. Undefined: the SDK's own chain, which in Lambda is the function's role. */
  readonly credentials?: Credentials | undefined;
  /** Time limit of one request. Undefined: the default of the service's client. */
  readonly requestTimeoutMs?: number | undefined;
  /** Requests of one call, repeats included. Undefined: 3, as in the SDK's standard mode. */
  readonly maxAttempts?: number | undefined;
}

/** The access of a function, which is always told its region. */
export interface AwsAccess extends ClientAccess {
  readonly region: string;
}

const MAX_ATTEMPTS = 3;

/**
 * Composes the settings of an AWS client.
 * The SDK only warns of a request that takes too long unless it is told to throw, and its default
 * number of attempts has changed between versions. Both are therefore set here.
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
      // The limit between two pieces of a body: the request's own limit ends with the headers.
      socketTimeout: requestTimeoutMs,
      throwOnRequestTimeout: true,
    },
  };
}
