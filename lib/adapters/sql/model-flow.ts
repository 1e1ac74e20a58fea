import { sql } from 'kysely';
import type { Lane, Space } from '../../core/model.ts';
import type { BatchedTexts, ModelFlow, QueuedRows } from '../../core/model-flow.ts';
import { configuredLimits, MOST_WAIT_SECONDS } from '../../core/rate.ts';
import type { SqlDatabase } from './database.ts';
import { rateShare } from './rates.ts';

/**
 * Reads how the work of the spaces' models flows, for `status`, the page and `/metrics`.
 * It reads the governor's row of each model, the ledger of the last minute, the leases and the
 * open batches: nothing that grows with the tables of the application.
 */
export async function readModelFlows(
  db: SqlDatabase,
  spaces: readonly Space[],
): Promise<readonly ModelFlow[]> {
  const models = new Map(spaces.map(({ model }) => [model.alias, model]));
  if (models.size === 0) return [];
  const aliases = [...models.keys()];
  const rates = new Map((await readRates(db, aliases)).map(({ model, ...rate }) => [model, rate]));
  const queues = Map.groupBy(await readQueues(db, spaces), ({ model }) => model);
  const batches = new Map((await readBatches(db, aliases)).map(({ model, ...held }) => [model, held]));
  return [...models].map(([alias, model]) => {
    const { learnedRequests, learnedTokens, requests, tokens, ...rate } = rates.get(alias)!;
    const configured = configuredLimits(model);
    const held = batches.get(alias);
    return {
      model: alias,
      limits: {
        requestsPerMinute: lower(configured.requestsPerMinute, learnedRequests),
        tokensPerMinute: lower(configured.tokensPerMinute, learnedTokens),
      },
      used: { requests, tokens },
      ...rate,
      queues: (queues.get(alias) ?? []).map(({ model: _, ...queue }) => queue),
      batches: held === undefined || isEmpty(held) ? null : held,
    };
  });
}

function lower(left: number | null, right: number | null): number | null {
  return left === null || right === null ? (left ?? right) : Math.min(left, right);
}

function isEmpty({ open, collected, heldBy }: BatchedTexts): boolean {
  return open === 0 && collected === 0 && heldBy === null;
}

type Rate = Pick<
  ModelFlow,
  'model' | 'share' | 'throttledAt' | 'waitSeconds' | 'isEditFirst' | 'calls' | 'callsAtOnce'
> & {
  readonly learnedRequests: number | null;
  readonly learnedTokens: number | null;
  readonly requests: number;
  readonly tokens: number;
};

const now = sql`extract(epoch FROM now())`;

/** A refusal that lies ahead explains those of the minute before it: its own time is now. */
async function readRates(db: SqlDatabase, aliases: readonly string[]): Promise<readonly Rate[]> {
  const { rows } = await sql<Rate>`
    WITH used AS (
      SELECT l.model_alias, count(*)::float8 AS requests, sum(l.tokens)::float8 AS tokens
        FROM freshet.ledger AS l WHERE l.recorded_at > now() - interval '1 minute' GROUP BY l.model_alias
    )
    SELECT a.alias AS model, p.requests_per_minute AS "learnedRequests",
           p.tokens_per_minute AS "learnedTokens", coalesce(u.requests, 0) AS requests,
           coalesce(u.tokens, 0) AS tokens,
           CASE WHEN p.model_alias IS NULL THEN 1 ELSE ${rateShare} END AS share,
           CASE WHEN p.throttled_at IS NOT NULL
                THEN to_timestamp(least(p.throttled_at, ${now}::float8))::text END AS "throttledAt",
           coalesce(least(greatest(0, p.waits_until - ${now}::float8), ${MOST_WAIT_SECONDS}::float8), 0)
             AS "waitSeconds",
           coalesce(p.fresh_waits_until > ${now}::float8, false) AS "isEditFirst",
           (SELECT count(*)::int FROM jsonb_each(coalesce(p.in_flight, '{}')) AS t
             WHERE t.value::float8 > ${now}::float8) AS calls,
           p.calls_at_once AS "callsAtOnce"
      FROM unnest(${aliases as string[]}::text[]) AS a (alias)
      LEFT JOIN freshet.paces AS p ON p.model_alias = a.alias
      LEFT JOIN used AS u ON u.model_alias = a.alias`.execute(db.kysely);
  return rows;
}

type QueueRow = QueuedRows & { readonly model: string };

async function readQueues(db: SqlDatabase, spaces: readonly Space[]): Promise<readonly QueueRow[]> {
  const ids = spaces.map(({ spaceId }) => spaceId);
  const aliases = spaces.map(({ model }) => model.alias);
  const { rows } = await sql<QueueRow & { readonly lane: Lane }>`
    SELECT s.alias AS model, l.lane,
           (count(*) FILTER (WHERE l.stage <> 'announced' AND l.waits_for IS NULL))::int AS waiting,
           (count(*) FILTER (WHERE l.stage = 'announced'))::int AS announced,
           (count(*) FILTER (WHERE l.waits_for IS NOT NULL))::int AS batched,
           greatest(0, extract(epoch FROM now() - min(l.first_seen)))::float8 AS "oldestSeconds"
      FROM unnest(${ids}::int[], ${aliases}::text[]) AS s (id, alias)
      JOIN freshet.leases AS l ON l.space_id = s.id AND l.expires_at > now()
     GROUP BY s.alias, l.lane ORDER BY s.alias, l.lane DESC`.execute(db.kysely);
  return rows;
}

type BatchRow = BatchedTexts & { readonly model: string };

async function readBatches(db: SqlDatabase, aliases: readonly string[]): Promise<readonly BatchRow[]> {
  const { rows } = await sql<BatchRow>`
    SELECT a.alias AS model, b.open, b.texts, b."oldestSeconds",
           (SELECT count(*)::int FROM freshet.spaces AS s JOIN freshet.batch_texts AS t USING (space_id)
             WHERE s.model_alias = a.alias AND t.state = 'collected') AS collected,
           (SELECT h.code FROM freshet.batch_holds AS h
             WHERE h.model_alias = a.alias AND h.until > now()) AS "heldBy"
      FROM unnest(${aliases as string[]}::text[]) AS a (alias),
           LATERAL (SELECT count(*)::int AS open, coalesce(sum(o.texts), 0)::float8 AS texts,
                           coalesce(extract(epoch FROM now() - min(o.created_at)), 0)::float8
                             AS "oldestSeconds"
                      FROM freshet.batches AS o
                     WHERE o.model_alias = a.alias AND o.state IN ('submitting', 'open')) AS b`.execute(
    db.kysely,
  );
  return rows;
}
