import { type RawBuilder, sql } from 'kysely';
import {
  BURST_SECONDS,
  FRESH_FIRST_SECONDS,
  LEAST_SHARE,
  MOST_WAIT_SECONDS,
  type RateLimits,
  RECOVERY_PER_MINUTE,
  SLOT_SHARE,
  STEPPED_SECONDS,
  THROTTLED_SHARE,
  THROTTLES_APART_SECONDS,
  UNANSWERED_APART_SECONDS,
  USED_SHARE,
  WINDOW_SECONDS,
} from '../../core/rate.ts';
import type { RateAsk, RateNews } from '../../ports/pace-store.ts';
import type { SqlDatabase } from './database.ts';
import { prepared } from './fragments.ts';

export async function readRateLimits(db: SqlDatabase, modelAlias: string): Promise<RateLimits | undefined> {
  const { rows } = await sql<RateLimits>`${prepared}
    SELECT requests_per_minute AS "requestsPerMinute", tokens_per_minute AS "tokensPerMinute"
      FROM freshet.paces WHERE model_alias = ${modelAlias}::text`.execute(db.kysely);
  return rows[0];
}

const now = sql`extract(epoch FROM now())::float8`;

/** The share of its limit that row `p` allows: refusals lower it, and it grows since the last. */
export const rateShare = sql`greatest(${LEAST_SHARE}::float8, least(1, p.rate_share
  * power(${RECOVERY_PER_MINUTE}::float8, greatest(0, ${now} - coalesce(p.throttled_at, ${now})) / 60)))`;

/** Renders what row `p` allows a second; NULL: there is no limit. */
function perSecond(configured: number | null, learned: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`(${USED_SHARE}::float8 * ${rateShare} * least(${configured}::float8, ${learned}) / 60)`;
}

/**
 * Takes of a model's rate for one call, or resolves with the milliseconds until that is worthwhile.
 * It is GCRA in one statement: for each limit the row has the time at which what was granted is
 * paid off. Whoever comes second waits for the row, so that no two workers take the same share.
 * A call that is larger than the burst is granted once nothing is owed. A last grant that lies
 * ahead tells by how much the clock stepped back: nobody waits for that time to come again. A
 * stored time that lies beyond what can be owed counts as what can be owed. A row that was lost
 * begins anew with one burst.
 */
export async function takeRate(db: SqlDatabase, modelAlias: string, ask: RateAsk): Promise<number> {
  const { lane, tokens, limits, largestTokens, hidesAboveMs } = ask;
  const isHidden = sql`d.wait_ms > ${hidesAboveMs}::float8`;
  const slots = sql.raw(lane === 'fresh' ? 'fresh_slots_until' : 'bulk_slots_until');
  const isFresh = lane === 'fresh';
  const owed = (due: RawBuilder<unknown>, rate: RawBuilder<unknown>, largest: number) =>
    sql`greatest(0, least(${due} - s.stepped - ${now},
                          ${BURST_SECONDS}::float8 + ${largest}::float8 / ${rate}))`;
  const waitFor = (name: string, cost: number) => {
    const seconds = sql`(${cost}::float8 / r.${sql.ref(`${name}_rate`)})`;
    const due = sql`r.${sql.ref(`${name}_owed`)}`;
    return sql`coalesce(CASE WHEN ${seconds} > ${BURST_SECONDS}::float8 THEN ${due}
                             ELSE ${due} + ${seconds} - ${BURST_SECONDS}::float8 END, 0)`;
  };
  const { rows } = await sql<{ waitMs: number }>`${prepared}
    WITH seen AS (
      SELECT p.*, ${perSecond(limits.tokensPerMinute, sql`p.tokens_per_minute`)} AS tokens_rate,
             ${perSecond(limits.requestsPerMinute, sql`p.requests_per_minute`)} AS requests_rate,
             CASE WHEN p.granted_at - ${now} > ${STEPPED_SECONDS}::float8
                  THEN p.granted_at - ${now} ELSE 0 END AS stepped
        FROM freshet.paces AS p WHERE p.model_alias = ${modelAlias}::text FOR UPDATE
    ), rated AS (
      SELECT s.*, ${owed(sql`coalesce(s.tokens_due, 0)`, sql`s.tokens_rate`, largestTokens)} AS tokens_owed,
             ${owed(sql`coalesce(s.requests_due, 0)`, sql`s.requests_rate`, 1)} AS requests_owed
        FROM seen AS s
    ), decided AS MATERIALIZED (
      SELECT r.*, ceil(round((1000 * greatest(0, ${waitFor('tokens', tokens)}, ${waitFor('requests', 1)},
               CASE WHEN r.waits_until IS NOT NULL
                    THEN least(r.waits_until - ${now}, ${MOST_WAIT_SECONDS}::float8) END,
               CASE WHEN r.fresh_waits_until IS NOT NULL AND NOT ${isFresh}::bool
                    THEN least(r.fresh_waits_until - ${now}, ${FRESH_FIRST_SECONDS}::float8) END
             ))::numeric, 3))::float8 AS wait_ms,
             greatest(0, ${tokens}::float8 / r.tokens_rate, 1 / r.requests_rate) AS slot_seconds,
             least(greatest(0, coalesce(r.${slots} - ${now}, 0)), ${MOST_WAIT_SECONDS}::float8) AS slots_taken
        FROM rated AS r
    ), placed AS MATERIALIZED (
      SELECT d.*, CASE WHEN ${isHidden}
                       THEN ceil(round(greatest(d.wait_ms, 1000 * d.slots_taken)::numeric, 3))::float8
                       ELSE d.wait_ms END AS answer_ms
        FROM decided AS d
    ), taken AS (
      UPDATE freshet.paces AS p SET
        tokens_due = CASE WHEN d.wait_ms = 0 AND d.tokens_rate IS NOT NULL
                          THEN ${now} + d.tokens_owed + ${tokens}::float8 / d.tokens_rate
                          ELSE p.tokens_due - d.stepped END,
        requests_due = CASE WHEN d.wait_ms = 0 AND d.requests_rate IS NOT NULL
                            THEN ${now} + d.requests_owed + 1 / d.requests_rate
                            ELSE p.requests_due - d.stepped END,
        granted_at = CASE WHEN d.wait_ms = 0 OR d.stepped > 0 THEN ${now} ELSE p.granted_at END,
        fresh_waits_until = CASE WHEN NOT ${isFresh}::bool THEN p.fresh_waits_until
                                 WHEN d.wait_ms > 0 THEN ${now} + ${FRESH_FIRST_SECONDS}::float8 END,
        ${slots} = CASE WHEN ${isHidden}
                        THEN ${now} + d.answer_ms / 1000 + ${SLOT_SHARE}::float8 * d.slot_seconds
                        ELSE p.${slots} END
        FROM placed AS d WHERE p.model_alias = d.model_alias
         AND (d.wait_ms = 0 OR d.stepped > 0 OR ${isFresh}::bool OR ${isHidden})
    )
    SELECT answer_ms AS "waitMs" FROM placed`.execute(db.kysely);
  const [decided] = rows;
  if (decided !== undefined) return decided.waitMs;
  await sql`INSERT INTO freshet.paces (model_alias, calls_at_once) VALUES (${modelAlias}::text, 1)
    ON CONFLICT (model_alias) DO NOTHING`.execute(db.kysely);
  return takeRate(db, modelAlias, ask);
}

/**
 * Stores what a call told of the rate: its bill, the limits of its answer, or a refusal. What a
 * call cost less than was taken for it is given back, what it cost more is owed.
 *
 * A refusal says that the provider has nothing saved: of the burst none is left, and none is saved
 * while it asks to wait. The burst would use up its next window before that ends.
 *
 * Refusals within two seconds lower the rate once: they answer calls that were made under the same
 * rate. So do all until the next right answer: a window that is used up refuses until it ends, and
 * says nothing more. Where no answer names the limit, one in thirty seconds counts: the limit may
 * be far below. One that an answer names lower than before, or for the first time, explains the
 * refusals before it and in the window after it, and the rate is the whole of the new one:
 * `throttled_at` lies ahead for as long. Further ahead it is of a clock that stepped back.
 */
export async function noteRate(db: SqlDatabase, modelAlias: string, news: RateNews): Promise<void> {
  const { limits, learned, excessTokens, throttled, isAnswered } = news;
  const rate = perSecond(limits.tokensPerMinute, sql`p.tokens_per_minute`);
  const isThrottled = throttled?.lowersRate === true;
  const isUnnamed = sql`coalesce(p.requests_per_minute, p.tokens_per_minute) IS NULL`;
  const isNewEpisode = sql`(
    (${isUnnamed} AND abs(${now} - p.throttled_at) >= ${UNANSWERED_APART_SECONDS}::float8)
    OR p.answered_at > p.throttled_at OR p.throttled_at > ${now} + ${WINDOW_SECONDS}::float8)`;
  const isApart = sql`(${isThrottled}::bool AND (p.throttled_at IS NULL
    OR (abs(${now} - p.throttled_at) >= ${THROTTLES_APART_SECONDS}::float8 AND ${isNewEpisode})))`;
  const isLower = sql`(${learned?.requestsPerMinute ?? null}::float8
      < coalesce(p.requests_per_minute, 'infinity')
    OR ${learned?.tokensPerMinute ?? null}::float8 < coalesce(p.tokens_per_minute, 'infinity'))`;
  const waitSeconds = Math.min(MOST_WAIT_SECONDS, (throttled?.retryAfterMs ?? 0) / 1000);
  const isRefused = sql`${throttled !== undefined}::bool`;
  const withoutBurst = sql`${now} + ${waitSeconds}::float8 + ${BURST_SECONDS}::float8`;
  await sql`${prepared}
    UPDATE freshet.paces AS p SET
      requests_per_minute = coalesce(${learned?.requestsPerMinute ?? null}::float8, p.requests_per_minute),
      tokens_per_minute = coalesce(${learned?.tokensPerMinute ?? null}::float8, p.tokens_per_minute),
      tokens_due = greatest(CASE WHEN ${isRefused} THEN ${withoutBurst} ELSE ${now} END,
                            p.tokens_due + ${excessTokens}::float8 / ${rate}),
      requests_due = CASE WHEN ${isRefused} THEN greatest(${withoutBurst}, p.requests_due)
                          ELSE p.requests_due END,
      answered_at = CASE WHEN ${isAnswered}::bool THEN ${now} ELSE p.answered_at END,
      rate_share = CASE WHEN ${isLower} THEN 1
                        WHEN ${isApart}
                        THEN greatest(${LEAST_SHARE}::float8, ${THROTTLED_SHARE}::float8 * ${rateShare})
                        ELSE p.rate_share END,
      throttled_at = CASE WHEN ${isLower} THEN ${now} + ${WINDOW_SECONDS}::float8
                          WHEN ${isApart} THEN ${now} ELSE p.throttled_at END,
      waits_until = CASE WHEN ${waitSeconds}::float8 <= 0 THEN p.waits_until
                         WHEN p.waits_until IS NULL THEN ${now} + ${waitSeconds}::float8
                         ELSE greatest(least(p.waits_until, ${now} + ${MOST_WAIT_SECONDS}::float8),
                                       ${now} + ${waitSeconds}::float8) END
     WHERE p.model_alias = ${modelAlias}::text`.execute(db.kysely);
}
