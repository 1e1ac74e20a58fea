import { type Kysely, sql } from 'kysely';
import type { PipelineConfig, SourceConfig } from '../../core/config/pipeline-config.ts';
import type { ResolvedSource } from '../../core/model.ts';
import { DOCS } from '../../core/own-command.ts';
import type { SqlDatabase } from './database.ts';
import type { DoctorFinding } from './doctor-sources.ts';
import { type FreshetTables, type SpaceRow, vectorTableOf } from './freshet-tables.ts';
import { toSpaceBindings } from './open-spaces.ts';

/** A space that gave its place in the view of its source to one with fewer vectors. */
export interface ReplacedSpace {
  readonly source: string;
  /** Alias of the model that the view shows from now on. */
  readonly model: string;
  /** Vectors that it shows now. */
  readonly vectors: number;
  /** Vectors that it showed before. */
  readonly formerVectors: number;
}

/**
 * Finds what searches of a source lose where `next` becomes its active space.
 * Undefined: that space has yet to be made.
 * A space that was filled beside the active one loses nothing, and neither does the first space of
 * a source. Vectors are counted only where another space is active.
 */
export async function findReplacedSpace(
  db: Kysely<FreshetTables>,
  source: string,
  next: Pick<SpaceRow, 'space_id'> | undefined,
  model: string,
): Promise<ReplacedSpace | undefined> {
  const former = await db
    .selectFrom('freshet.spaces')
    .select('space_id')
    .where('source_name', '=', source)
    .where('status', '=', 'active')
    .executeTakeFirst();
  if (former === undefined || former.space_id === next?.space_id) return undefined;
  const formerVectors = await countVectors(db, former.space_id);
  const vectors = next === undefined ? 0 : await countVectors(db, next.space_id);
  return vectors < formerVectors ? { source, model, vectors, formerVectors } : undefined;
}

async function countVectors(db: Kysely<FreshetTables>, spaceId: number): Promise<number> {
  const { rows } = await sql<{ vectors: number }>`
    SELECT count(*)::float8 AS vectors FROM ${sql.id('freshet', vectorTableOf(spaceId))}
     WHERE outcome = 'embedded' AND chunk = 0`.execute(db);
  return rows[0]?.vectors ?? 0;
}

/** Warns of a source whose searches the next `run` or `migrate` takes vectors from. */
export async function inspectReplacement(
  db: SqlDatabase,
  config: PipelineConfig,
  sourceConfig: SourceConfig,
  source: ResolvedSource,
): Promise<readonly DoctorFinding[]> {
  const [first] = toSpaceBindings(config, sourceConfig, source);
  if (first === undefined) return [];
  const next = await db.kysely
    .selectFrom('freshet.spaces')
    .select('space_id')
    .where('fingerprint', '=', first.fingerprint)
    .executeTakeFirst();
  const replaced = await findReplacedSpace(db.kysely, source.name, next, first.model.alias);
  if (replaced === undefined) return [];
  return [
    {
      check: 'space',
      ok: false,
      severity: 'warning',
      message:
        `Source "${source.name}": searches see ${replaced.formerVectors} vectors, made before the ` +
        `configuration was changed. From the next run or migrate on they see those of model ` +
        `"${replaced.model}" as it is configured now, of which there are ${replaced.vectors}. "Changing ` +
        `the model" in ${DOCS}/configuration.md fills them first.`,
    },
  ];
}
