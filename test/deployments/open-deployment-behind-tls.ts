import { openDatabaseBehindTls } from '../database/database-behind-tls.ts';
import { DATABASE_ARN, openDeployment } from './open-deployment.ts';

/** Opens a deployment on a PostgreSQL that asks for TLS; its login is a secret, as that of RDS is. */
export async function openDeploymentBehindTls(dimensions: number) {
  const behindTls = await openDatabaseBehindTls(DATABASE_ARN);
  const { place: database, login: databaseSecret } = behindTls;
  return { behindTls, deployment: await openDeployment({ dimensions, database, databaseSecret }) };
}
