import { ensureSpaces } from '../adapters/sql/ensure-spaces.ts';
import { migrate, requireSchemaRights } from '../adapters/sql/migrations/migrate.ts';
import { usedAliases } from '../core/config/pipeline-config.ts';
import type { MigratePorts, PreparableDatabase } from '../pipeline/migrate.ts';
import { readLambdaDependencies, type Wired, wireLambda } from './lambda.ts';
import { createLambdaProviders } from './lambda-clients.ts';
import { type LambdaPorts, readLambdaPorts } from './lambda-ports.ts';
import { createSecretAccess } from './secret-access.ts';

/**
 * Wires `migrate` without opening anything.
 * The function opens what it needs for one deployment, and closes it again.
 */
export async function wireMigrate(dependencies = readLambdaDependencies()): Promise<Wired<MigratePorts>> {
  return wireLambda('migrate', dependencies, async () => {
    const opened = await readLambdaPorts('migrate', dependencies);
    const { settings, config, secrets, clock, logger } = opened;
    const { keyOf } = createSecretAccess(settings, secrets);
    const ports: MigratePorts = {
      models: usedAliases(config).map(alias => config.models[alias]!),
      keyOf: alias => keyOf(config.models[alias]!),
      openProviders: () => createLambdaProviders(settings, config, secrets, clock),
      openDatabase: () => openPreparable(opened),
      logger,
    };
    return { ports, isAlive: async () => true, close: async () => {} };
  });
}

async function openPreparable({ config, openDatabase, logger }: LambdaPorts): Promise<PreparableDatabase> {
  const database = await openDatabase();
  return {
    async prepare() {
      const migrated = await migrate(database);
      const spaces = await ensureSpaces(database, config, {
        mendsIndexes: true,
        onReplaced: replaced => logger.warn('space-replaced', { ...replaced }),
      });
      await requireSchemaRights(database, 'write');
      return { ...migrated, spaces: spaces.length };
    },
    close: () => database.close(),
  };
}
