import { Signer } from '@aws-sdk/rds-signer';
import type { ReadLogin } from '../postgres/login.ts';
import { callAws } from './call-aws.ts';

/**
 * Creates a login that uses IAM: a token for each new connection.
 * The token is signed locally, without a request. A token opens connections for 15 minutes; open
 * connections stay open after that.
 */
export function createIamLogin(options: {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly region: string;
  readonly credentials?: ConstructorParameters<typeof Signer>[0]['credentials'];
}): ReadLogin {
  const signer = new Signer({
    hostname: options.host,
    port: options.port,
    username: options.user,
    region: options.region,
    ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
  });
  return async () => ({
    user: options.user,
    password: await callAws('IAM database authentication', () => signer.getAuthToken()),
  });
}
