import type { Context } from 'aws-lambda';
import type { MigratePorts, MigrateReport } from '../../lib/pipeline/migrate.ts';
import { migrateDeployment } from '../../lib/pipeline/migrate.ts';
import type { LambdaDependencies } from '../../lib/wiring/lambda.ts';
import { lazilyWired } from '../lambda.ts';

export function createHandler(ports: MigratePorts) {
  return (_event: unknown, context: Context): Promise<MigrateReport> =>
    migrateDeployment(ports, () => context.getRemainingTimeInMillis());
}

export function createLambda(surroundings?: LambdaDependencies) {
  return lazilyWired(async () => {
    const { wireMigrate } = await import('../../lib/wiring/lambda-migrate.ts');
    return wireMigrate(surroundings);
  }, createHandler);
}

/**
 * What the deployment invokes before the first tick.
 * The deployment shows the message of a throw as the reason of its failure.
 */
export const handler = createLambda();
