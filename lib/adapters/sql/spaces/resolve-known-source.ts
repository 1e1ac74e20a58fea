import type { PipelineConfig, SourceConfig } from '../../../core/config/pipeline-config.ts';
import { UsageError } from '../../../core/errors/usage-error.ts';
import type { ResolvedSource } from '../../../core/model/space.ts';
import { findSourceFault } from '../detection/find-source-fault.ts';
import { resolveSource } from '../sources/resolve-source.ts';
import type { SqlDatabase } from '../sql-database.ts';
import { recallSource } from './recall-source.ts';

/**
 * Resolves the source as the database has it, or as it was before the application broke it.
 * In the second case `detect` finds what is wrong, pauses this source with the reason and leaves
 * the others alone.
 * @throws UsageError for a source that never was, or that the configuration names wrongly now.
 */
export async function resolveKnownSource(
  db: SqlDatabase,
  config: PipelineConfig,
  sourceConfig: SourceConfig,
): Promise<ResolvedSource> {
  const known = await recallSource(db.kysely, config, sourceConfig);
  try {
    const source = await resolveSource(db, sourceConfig, config.limits.maxCharacters);
    return known !== undefined && hasOtherTypes(source, known) ? known : source;
  } catch (error) {
    if (!(error instanceof UsageError) || known === undefined) throw error;
    if ((await findSourceFault(db, { source: known })) === undefined) throw error;
    return known;
  }
}

function hasOtherTypes(source: ResolvedSource, known: ResolvedSource): boolean {
  return (
    source.keyType !== known.keyType ||
    source.versionType !== known.versionType ||
    source.textColumns.some((column, place) => column.isArray !== known.textColumns[place]?.isArray)
  );
}
