import { type RawBuilder, sql } from 'kysely';
import type { Pace } from '../../core/pace.ts';
import type { PaceStore, Turn, TurnHolder } from '../../ports/pace-store.ts';
import type { SqlDatabase } from './database.ts';
import { prepared } from './fragments.ts';
import { renderLiveRuns } from './leases.ts';
import { noteRate, readRateLimits, takeRate } from './rates.ts';

export function createPaceStore(db: SqlDatabase): PaceStore {
  return {
    readPace: modelAlias => readPace(db, modelAlias),
    takeTurn: (modelAlias, call, seconds) => takeTurn(db, modelAlias, call, seconds),
    storePace: (modelAlias, turnId, seen, learned) => storePace(db, modelAlias, turnId, seen, learned),
    readRateLimits: modelAlias => readRateLimits(db, modelAlias),
    takeRate: (modelAlias, ask) => takeRate(db, modelAlias, ask),
    noteRate: (modelAlias, news) => noteRate(db, modelAlias, news),
  };
}

const paceColumns = sql.raw(
  'p.texts_per_call AS "textsPerCall", p.calls_at_once AS "callsAtOnce", ' +
    'p.seconds_per_token AS "secondsPerToken"',
);

async function readPace(db: SqlDatabase, modelAlias: string): Promise<Pace | undefined> {
  const { rows } = await sql<Pace>`${prepared}
    SELECT ${paceColumns} FROM freshet.paces AS p WHERE p.model_alias = ${modelAlias}::text`.execute(
    db.kysely,
  );
  return rows[0];
}

/**
 * Takes a turn in one statement, on one row that is locked meanwhile.
 * Whoever comes second waits for the row and counts what the first one wrote, so that no two
 * workers take the last turn.
 */
async function takeTurn(
  db: SqlDatabase,
  modelAlias: string,
  { callId, runId }: TurnHolder,
  seconds: number,
): Promise<Turn | undefined> {
  const turnId = runId === null ? callId : `${runId}/${callId}`;
  const { rows } = await sql<Pace & { underWay: number }>`${prepared}
    INSERT INTO freshet.paces AS p (model_alias, calls_at_once, in_flight)
    VALUES (${modelAlias}::text, 1,
            jsonb_build_object(${turnId}::text, extract(epoch FROM now()) + ${seconds}::numeric))
    ON CONFLICT (model_alias) DO UPDATE SET in_flight = ${liveTurns} || excluded.in_flight
      WHERE p.calls_at_once IS NULL
         OR (SELECT count(*) FROM jsonb_object_keys(${liveTurns})) < p.calls_at_once
    RETURNING ${paceColumns},
              (SELECT count(*) FROM jsonb_object_keys(p.in_flight))::int AS "underWay"`.execute(db.kysely);
  const [row] = rows;
  if (row === undefined) return undefined;
  const { underWay, ...pace } = row;
  return { turnId, pace, callsAtOnce: underWay };
}

/**
 * Renders the turns of row `p` that are not over.
 * The key of a local run's turn begins with the run's id: nobody waits for the call of a dead run.
 */
const liveTurns: RawBuilder<unknown> = sql`(
  SELECT coalesce(jsonb_object_agg(t.key, t.value), '{}') FROM jsonb_each(p.in_flight) AS t
   WHERE t.value::numeric > extract(epoch FROM now())
     AND (t.key NOT LIKE '%/%' OR split_part(t.key, '/', 1)::int IN (${renderLiveRuns()})))`;

async function storePace(
  db: SqlDatabase,
  modelAlias: string,
  turnId: string,
  seen: Pace,
  learned: Pace,
): Promise<void> {
  const isAsSeen = sql`(p.texts_per_call IS NOT DISTINCT FROM ${seen.textsPerCall}::int
                        AND p.calls_at_once IS NOT DISTINCT FROM ${seen.callsAtOnce}::int)`;
  await sql`${prepared}
    INSERT INTO freshet.paces AS p (model_alias, texts_per_call, calls_at_once, seconds_per_token)
    VALUES (${modelAlias}::text, ${learned.textsPerCall}::int, ${learned.callsAtOnce}::int,
            ${learned.secondsPerToken}::float8)
    ON CONFLICT (model_alias) DO UPDATE SET
      in_flight = p.in_flight - ${turnId}::text,
      texts_per_call = CASE WHEN ${isAsSeen} THEN excluded.texts_per_call ELSE p.texts_per_call END,
      calls_at_once = CASE WHEN ${isAsSeen} THEN excluded.calls_at_once ELSE p.calls_at_once END,
      seconds_per_token = CASE WHEN ${isAsSeen} THEN excluded.seconds_per_token
                               ELSE p.seconds_per_token END,
      changed_at = now()`.execute(db.kysely);
}
