import { ensureSpaces } from '../adapters/sql/ensure-spaces.ts';
import { migrate, requireSchemaRights } from '../adapters/sql/migrations/migrate.ts';
import { usedAliases } from '../core/config/pipeline-config.ts';
import type { MigratePorts, PreparableDatabase } from '../pipeline/migrate.ts';
import type { LambdaDependencies } from './lambda.ts';
import { type Wired, wireLambda } from './lambda.ts';
import { createLambdaProviders, findKeySource } from './lambda-clients.ts';
import { type LambdaPorts, readLambdaParts } from './lambda-parts.ts';

/**
 * Wires `migrate` without opening anything.
 * The function opens what it needs for one deployment, and closes it again.
 */
export async function wireMigrate(surroundings?: LambdaDependencies): Promise<Wired<MigratePorts>> {
  return wireLambda('migrate', surroundings, async given => {
    const parts = await readLambdaParts('migrate', given);
    const { settings, config, secrets, clock, logger } = parts;
    const ports: MigratePorts = {
      models: usedAliases(config).map(alias => config.models[alias]!),
      keyOf: alias => findKeySource(settings, secrets, alias),
      openProviders: () => createLambdaProviders(settings, config, secrets, clock),
      openDatabase: () => openPreparable(parts),
      logger,
    };
    return { ports, isAlive: async () => true, close: async () => {} };
  });
}

async function openPreparable({ config, openDatabase }: LambdaPorts): Promise<PreparableDatabase> {
  const database = await openDatabase();
  return {
    async prepare() {
      const migrated = await migrate(database);
      const spaces = await ensureSpaces(database, config);
      await requireSchemaRights(database, 'write');
      return { ...migrated, spaces: spaces.length };
    },
    close: () => database.close(),
  };
}
