import { FreshetError } from '../../core/errors/freshet-error.ts';
import { describeFailure } from '../describe-failure.ts';
import type { MigratePorts, MigrateReport } from './migrate-ports.ts';
import { requireProvider } from './require-provider.ts';

/**
 * Does what a deployment needs before its first tick.
 * Everything that can refuse the deployment is looked at before anything is changed, because a
 * deployment that fails is rolled back and a schema is not.
 * @throws FreshetError of one sentence or two, which the deployment shows.
 */
export async function migrateDeployment(
  ports: MigratePorts,
  remainingMs: () => number,
): Promise<MigrateReport> {
  try {
    return await migrate(ports, remainingMs);
  } catch (error) {
    const refusal = toRefusal(error);
    ports.logger.error('deployment-refused', { code: refusal.code, reason: refusal.message });
    throw refusal;
  }
}

async function migrate(ports: MigratePorts, remainingMs: () => number): Promise<MigrateReport> {
  for (const { alias } of ports.models) await readKey(ports, alias);
  const database = await ports.openDatabase();
  try {
    const providers = await ports.openProviders();
    for (const model of ports.models)
      await requireProvider(ports, model, providers(model.alias), remainingMs);
    const report = await database.prepare();
    ports.logger.info('database-prepared', { ...report, applied: report.applied.join(' ') });
    return report;
  } finally {
    await database.close();
  }
}

async function readKey({ keyOf }: MigratePorts, alias: string): Promise<void> {
  try {
    await keyOf(alias)?.();
  } catch (error) {
    const { code, message } = describeFailure(error);
    throw new FreshetError(
      `The key of model ${alias} cannot be read: ${message} Check that the secret named for it under providerSecrets exists, in this region, and that the function may read it.`,
      { failureClass: 'stop', code },
    );
  }
}

/** Turns a failure into the refusal that CloudFormation shows on one line. */
function toRefusal(error: unknown): FreshetError {
  const { code, message } = describeFailure(error);
  return new FreshetError(message.replace(/\s*\n\s*/g, ' '), { failureClass: 'stop', code });
}
