import { Signer } from '@aws-sdk/rds-signer';
import { toAwsFailure } from '../aws/to-aws-failure.ts';
import type { ReadLogin } from '../postgres/database-login.ts';

/** Logs in with IAM: a token per new connection, signed here without a request. It opens connections for 15 minutes; what is open stays open. */
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
  return async () => {
    try {
      return { user: options.user, password: await signer.getAuthToken() };
    } catch (error) {
      throw toAwsFailure('IAM database authentication', error);
    }
  };
}
