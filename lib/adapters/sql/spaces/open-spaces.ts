import type { PipelineConfig } from '../../../core/config/pipeline-config.ts';
import { UsageError } from '../../../core/errors/usage-error.ts';
import type { Space } from '../../../core/model/space.ts';
import type { SpaceRegistry } from '../../../ports/space-registry.ts';
import { MIGRATIONS } from '../migrations/migration-list.ts';
import { readSchemaVersion } from '../migrations/read-schema-version.ts';
import { requireSchemaRights } from '../migrations/require-schema-rights.ts';
import type { SqlDatabase } from '../sql-database.ts';
import { requireSameShape } from './require-same-shape.ts';
import { resolveKnownSource } from './resolve-known-source.ts';
import { type SpaceBinding, toSpaceBindings } from './space-binding.ts';
import { toSpace } from './to-space.ts';

const MIGRATE = 'npm run freshet -- migrate';

/**
 * Opens the spaces of the configuration without writing anything.
 * @throws UsageError where `migrate` has yet to make the schema or a space.
 */
export async function openSpaces(db: SqlDatabase, config: PipelineConfig): Promise<SpaceRegistry> {
  const needed = MIGRATIONS.at(-1)?.version ?? 0;
  await requireSchemaRights(db, 'read');
  const version = await readSchemaVersion(db.kysely);
  if (version !== needed) {
    throw new UsageError(
      version === 0
        ? 'The database has no schema freshet yet.'
        : `Schema freshet of the database has version ${version}, this Freshet needs ${needed}.`,
      version > needed ? undefined : MIGRATE,
    );
  }
  const spaces: Space[] = [];
  for (const sourceConfig of config.sources) {
    const source = await resolveKnownSource(db, config, sourceConfig);
    for (const binding of toSpaceBindings(config, sourceConfig, source)) {
      spaces.push(await openSpace(db, binding, config));
    }
  }
  return {
    list: async () => spaces,
    find: async spaceId => spaces.find(space => space.spaceId === spaceId),
  };
}

async function openSpace(db: SqlDatabase, binding: SpaceBinding, config: PipelineConfig): Promise<Space> {
  const row = await db.kysely
    .selectFrom('freshet.spaces')
    .selectAll()
    .where('fingerprint', '=', binding.fingerprint)
    .where('status', '<>', 'retired')
    .executeTakeFirst();
  if (row === undefined) {
    throw new UsageError(
      `Source "${binding.source.name}" has no space yet for model "${binding.model.alias}" as it is configured now (model, dimensions or text recipe are new). Existing vectors are kept until then.`,
      MIGRATE,
    );
  }
  requireSameShape(row, binding.source, config.database.viewSchema);
  return toSpace(row, binding);
}
