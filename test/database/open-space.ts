import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { createDetectionStore } from '../../lib/adapters/sql/detection-store.ts';
import { createEmbeddingStore } from '../../lib/adapters/sql/embedding-store.ts';
import { ensureSpaces } from '../../lib/adapters/sql/ensure-spaces.ts';
import { keyColumnsOf } from '../../lib/adapters/sql/key-columns.ts';
import { createOutcomeStore } from '../../lib/adapters/sql/outcome-store.ts';
import { createPaceStore } from '../../lib/adapters/sql/pace-store.ts';
import type { PipelineConfig, SourceConfig } from '../../lib/core/config/pipeline-config.ts';
import type { Space } from '../../lib/core/model.ts';
import type { LeaseRequest } from '../../lib/ports/detection-store.ts';
import type { SourceReading } from '../../lib/ports/outcome-store.ts';
import { buildConfig, buildSourceConfig } from '../factories/pipeline-config.ts';

export interface SourceTableShape {
  readonly schema?: string;
  readonly name?: string;
  readonly key?: string;
  /** SQL: a type, with its collation if it has one. */
  readonly keyType?: string;
  /** SQL: columns and types of a composite key, instead of `key` and `keyType`. */
  readonly keyColumns?: Readonly<Record<string, string>>;
  readonly updatedAt?: string;
  readonly updatedAtType?: string;
  /** SQL. */
  readonly updatedAtDefault?: string;
}

/**
 * Creates the table of the examples.
 *
 * It has a key, `title`, `summary`, `tags text[]` and the column that says when a row changed,
 * whose default is `now()`.
 */
export async function createSourceTable(db: SqlDatabase, shape: SourceTableShape = {}): Promise<void> {
  const schema = shape.schema ?? 'public';
  if (schema !== 'public') await sql`CREATE SCHEMA IF NOT EXISTS ${sql.id(schema)}`.execute(db.kysely);
  const parts = Object.entries(shape.keyColumns ?? { [shape.key ?? 'id']: shape.keyType ?? 'bigint' });
  const names = parts.map(([name]) => sql.id(name));
  const versionType = sql.raw(shape.updatedAtType ?? 'timestamptz');
  await sql`CREATE TABLE ${sql.id(schema, shape.name ?? 'ai_items')} (
    ${sql.join(parts.map(([name, type]) => sql`${sql.id(name)} ${sql.raw(type)}`))},
    title text,
    summary text,
    tags text[],
    ${sql.id(shape.updatedAt ?? 'updated_at')} ${versionType} ${sql.raw(shape.updatedAtDefault ?? 'DEFAULT now()')},
    PRIMARY KEY (${sql.join(names)})
  )`.execute(db.kysely);
}

/**
 * Creates a source table with its space, and opens the three stores on them.
 *
 * The rest are short ways to change rows and to look at what is stored.
 */
export async function openSpace(
  db: SqlDatabase,
  shape: SourceTableShape = {},
  config: Partial<SourceConfig> = {},
  pipeline: PipelineConfig = buildConfig([buildSourceConfig(config)]),
) {
  await createSourceTable(db, shape);
  const [space] = await ensureSpaces(db, pipeline);
  if (space === undefined) throw new Error('No space was made.');
  const stores = {
    detection: createDetectionStore(db),
    embedding: createEmbeddingStore(db),
    pace: createPaceStore(db),
    outcomes: createOutcomeStore(db),
  };
  const run = (statement: string) => sql.raw(statement).execute(db.kysely);
  return {
    db,
    space,
    ...stores,
    run,
    select: async <Row>(statement: string): Promise<Row[]> =>
      (await sql.raw(statement).execute(db.kysely)).rows as Row[],
    read: (...ids: string[]): Promise<SourceReading[]> => stores.embedding.readRows(space, ids, 1_000_000),
    readOne: async (id: string): Promise<SourceReading> => {
      const [reading] = await stores.embedding.readRows(space, [id], 1_000_000);
      if (reading === undefined) throw new Error(`Row ${id} is not there.`);
      await passInstant(db);
      return reading;
    },
    passInstant: () => passInstant(db),
    leaseSlice: (changes: Partial<LeaseRequest> = {}) =>
      stores.detection.leaseStaleSlice(space, { ...request(changes), after: null, through: null }),
    leaseChanged: (watermark: string | null, changes: Partial<LeaseRequest> = {}) =>
      stores.detection.leaseChangedRows(space, { ...request(changes, 'fresh'), watermark }),
    stored: () => readStored(db, space),
    leases: () => readLeases(db, space),
  };
}

/**
 * Resolves once the database's clock has gone on, so that the next transaction has a later stamp.
 * PGlite's clock counts whole milliseconds, in which a fast machine reads a row twice.
 */
async function passInstant(db: SqlDatabase): Promise<void> {
  const readClock = async () =>
    (await sql<{ at: string }>`SELECT now()::text AS at`.execute(db.kysely)).rows[0]?.at;
  const instant = await readClock();
  while ((await readClock()) === instant);
}

export type OpenedSpace = Awaited<ReturnType<typeof openSpace>>;

export function request(
  changes: Partial<LeaseRequest> = {},
  lane: LeaseRequest['lane'] = 'bulk',
): LeaseRequest {
  return {
    ...{ dispatchId: randomUUID(), lane, stage: 'sending', limit: 100, leaseSeconds: 120, runId: null },
    ...changes,
  };
}

async function readStored(db: SqlDatabase, space: Space) {
  const keys = keyColumnsOf(space.source);
  const { rows } = await sql<{
    id: string;
    outcome: string;
    vector: string | null;
    version: string | null;
    hash: string | null;
    missing: boolean;
    tokens: number;
  }>`SELECT ${keys.text(keys.stored('v'))} AS id, outcome, embedding::text AS vector, source_version::text AS version,
            encode(content_hash, 'hex') AS hash, missing_since IS NOT NULL AS missing, tokens
       FROM ${sql.id('freshet', space.vectorTable)} AS v ORDER BY ${keys.storedNames}`.execute(db.kysely);
  return rows;
}

async function readLeases(db: SqlDatabase, space: Space) {
  const { rows } = await sql<{
    id: string;
    dispatchId: string;
    lane: string;
    stage: string;
    attempts: number;
    live: boolean;
    runId: number | null;
    /** Rounded to ten seconds, so that a slow machine changes nothing. */
    secondsLeft: number;
  }>`SELECT item_id AS id, dispatch_id::text AS "dispatchId", lane, stage, attempts, expires_at > now() AS live,
            run_id AS "runId", round(extract(epoch FROM expires_at - now()), -1)::int AS "secondsLeft"
       FROM freshet.leases WHERE space_id = ${space.spaceId}::int ORDER BY item_id`.execute(db.kysely);
  return rows;
}
