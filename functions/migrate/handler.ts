import type { Context } from 'aws-lambda';
import { type MigratePorts, type MigrateReport, migrateDeployment } from '../../lib/pipeline/migrate.ts';
import type { LambdaDependencies } from '../../lib/wiring/lambda.ts';
import { createLazyHandler } from '../lambda.ts';

export function createHandler(ports: MigratePorts) {
  return (_event: unknown, context: Context): Promise<MigrateReport> =>
    migrateDeployment(ports, () => context.getRemainingTimeInMillis());
}

export function createLambda(dependencies?: LambdaDependencies) {
  return createLazyHandler(async () => {
    const { wireMigrate } = await import('../../lib/wiring/lambda-migrate.ts');
    return wireMigrate(dependencies);
  }, createHandler);
}

/**
 * What the deployment invokes before the first tick.
 * The deployment shows the message of a throw as the reason of its failure.
 */
export const handler = createLambda();
