import { sql, type Transaction } from 'kysely';
import type { PipelineConfig, SourceConfig } from '../../core/config/pipeline-config.ts';
import { FreshetError, LOCKED } from '../../core/errors.ts';
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
  /** Vectors that it shows now; undefined where they were not counted in time. */
  readonly vectors: number | undefined;
  /** Vectors that it showed before; undefined where they were not counted in time. */
  readonly formerVectors: number | undefined;
}

/** Milliseconds that a count may take: `ensureSpaces` waits for it, and others for that. */
const COUNT_TIMEOUT_MS = 2_000;

/**
 * Finds what searches of a source lose where `next` becomes its active space.
 * Undefined: that space has yet to be made.
 * A space that was filled beside the active one loses nothing, and neither does the first space of
 * a source. Vectors are counted only where another space is active. Where either count does not end
 * in time, the source is told without it: nobody knows that it loses nothing.
 */
export async function findReplacedSpace(
  transaction: Transaction<FreshetTables>,
  source: string,
  next: Pick<SpaceRow, 'space_id'> | undefined,
  model: string,
): Promise<ReplacedSpace | undefined> {
  const former = await transaction
    .selectFrom('freshet.spaces')
    .select('space_id')
    .where('source_name', '=', source)
    .where('status', '=', 'active')
    .executeTakeFirst();
  if (former === undefined || former.space_id === next?.space_id) return undefined;
  const formerVectors = await countVectors(transaction, former.space_id);
  const vectors = next === undefined ? 0 : await countVectors(transaction, next.space_id);
  const losesNone = vectors !== undefined && formerVectors !== undefined && vectors >= formerVectors;
  return losesNone ? undefined : { source, model, vectors, formerVectors };
}

/** @returns undefined where the count takes longer, or the table is locked for longer */
async function countVectors(
  transaction: Transaction<FreshetTables>,
  spaceId: number,
): Promise<number | undefined> {
  await sql`SAVEPOINT counting`.execute(transaction);
  try {
    await sql`SELECT set_config('statement_timeout', ${String(COUNT_TIMEOUT_MS)}, true)`.execute(transaction);
    const { rows } = await sql<{ vectors: number }>`
      SELECT count(*)::float8 AS vectors FROM ${sql.id('freshet', vectorTableOf(spaceId))}
       WHERE outcome = 'embedded' AND chunk = 0`.execute(transaction);
    return rows[0]?.vectors ?? 0;
  } catch (error) {
    if (error instanceof FreshetError && [LOCKED, 'sqlstate_57014'].includes(error.code)) return undefined;
    throw error;
  } finally {
    // After a count that ended, too: released, it would leave its time limit to the transaction.
    await sql`ROLLBACK TO SAVEPOINT counting`.execute(transaction);
  }
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
  const replaced = await db.kysely
    .transaction()
    .execute(transaction => findReplacedSpace(transaction, source.name, next, first.model.alias));
  if (replaced === undefined) return [];
  return [
    {
      check: 'space',
      ok: false,
      severity: 'warning',
      message:
        `Source "${source.name}": searches see ${nameCount(replaced.formerVectors)}, made before the ` +
        `configuration was changed. From the next run or migrate on they see what model ` +
        `"${replaced.model}" made as it is configured now: ${nameCount(replaced.vectors)}. "Changing ` +
        `the model" in ${DOCS}/configuration.md fills them first.`,
    },
  ];
}

const nameCount = (vectors: number | undefined) =>
  vectors === undefined ? 'vectors that were not counted in time' : `${vectors} vectors`;
