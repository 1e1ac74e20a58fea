import { createSecretLogin } from '../adapters/postgres/create-secret-login.ts';
import { openPostgres } from '../adapters/postgres/open-postgres.ts';
import { createIamLogin } from '../adapters/rds-signer/create-iam-login.ts';
import type { SqlDatabase } from '../adapters/sql/sql-database.ts';
import type { DeploymentSettings } from '../core/config/deployment-settings.ts';
import type { LambdaName } from '../core/config/lambda-connections.ts';
import { FreshetError } from '../core/errors/freshet-error.ts';
import type { SecretStore } from '../ports/secret-store.ts';

/**
 * Opens the database of a function with a pool of one connection.
 * An environment works on one event at a time. The number of environments thereby bounds the
 * server's connections.
 */
export async function openLambdaDatabase(
  name: LambdaName,
  settings: DeploymentSettings,
  secrets: SecretStore,
): Promise<SqlDatabase> {
  const { host, port, name: database, secretArn, user, certificateAuthority } = settings.database;
  const readLogin =
    secretArn === undefined
      ? createIamLogin({ host, port, user: requireUser(user), region: settings.region })
      : createSecretLogin({ secrets, secretArn });
  return openPostgres({
    endpoint: { host, port, database, readLogin, certificateAuthority },
    maxConnections: 1,
    applicationName: `freshet-${name}`,
  });
}

function requireUser(user: string | undefined): string {
  if (user !== undefined) return user;
  throw new FreshetError(
    'FRESHET_DEPLOYMENT names neither database.secretArn nor database.user: deploy the stack again.',
    { failureClass: 'stop', code: 'bad_deployment_settings' },
  );
}
