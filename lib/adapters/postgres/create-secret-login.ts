import { FreshetError } from '../../core/errors/freshet-error.ts';
import { parseJson } from '../../core/messages/parse-json.ts';
import type { SecretStore } from '../../ports/secret-store.ts';
import type { DatabaseLogin, ReadLogin } from './database-login.ts';

/**
 * Reads the login from a secret as RDS makes it: JSON with `username` and `password`.
 * User and password are read together, because a rotation can change the user.
 */
export function createSecretLogin(options: {
  readonly secrets: SecretStore;
  readonly secretArn: string;
}): ReadLogin {
  return async ({ fresh }) => readFields(await options.secrets.read(options.secretArn, { fresh }));
}

function readFields(secret: string): DatabaseLogin {
  const fields = parseJson(secret);
  if (typeof fields === 'object' && fields !== null && 'username' in fields && 'password' in fields) {
    const { username: user, password } = fields;
    if (typeof user === 'string' && user !== '' && typeof password === 'string' && password !== '')
      return { user, password };
  }
  throw new FreshetError(
    'The database secret is not JSON with the texts "username" and "password": store it as RDS does.',
    { failureClass: 'stop', code: 'secret_without_fields' },
  );
}
