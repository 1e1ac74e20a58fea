// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the patches quote templates of the source.
import type { Mutant } from './mutant.ts';

const MUTANTS: readonly Omit<Mutant, 'dies'>[] = [
  {
    name: 'open-calls-cost-nothing',
    removes: 'counting calls that are open or lost against a cap',
    file: 'lib/adapters/sql/caps.ts',
    changes: [
      [
        '  + (SELECT coalesce(sum(t.estimated_cost_usd), 0)',
        '  + 0 * (SELECT coalesce(sum(t.estimated_cost_usd), 0)',
      ],
    ],
  },
  {
    name: 'queries-cost-nothing',
    removes: 'counting what searches and clients cost against the caps of everything',
    file: 'lib/adapters/sql/caps.ts',
    changes: [
      ['THEN ${renderQueriesUsd(periodStart)} ELSE', 'THEN 0 * ${renderQueriesUsd(periodStart)} ELSE'],
    ],
  },
  {
    name: 'query-entered-twice',
    removes: 'entering once what was written again because no answer came',
    file: 'lib/pipeline/serve/record-queries.ts',
    changes: [
      [
        '      await ledger.enter(unwritten);\n',
        '      await ledger.enter(unwritten.map(sum => ({ ...sum, entryId: randomness.identifier() })));\n',
      ],
    ],
  },
  {
    name: 'queries-deleted-unsummed',
    removes: 'summing up queries before their entries are deleted',
    file: 'lib/adapters/sql/query-ledger.ts',
    changes: [
      ["WHERE q.recorded_at >= coalesce(${summedUntil}, '-infinity')\n       AND", 'WHERE false AND'],
    ],
  },
  {
    name: 'doubtful-query-unpaid',
    removes: 'counting a query of which nobody can say whether it was billed',
    file: 'lib/pipeline/serve/call-model.ts',
    changes: [['if (!isUnbilled(toFreshetError(error))) billed(estimated);', '']],
  },
  {
    name: 'cap-without-period',
    removes: 'counting against a cap what its period holds, and no more',
    file: 'lib/adapters/sql/caps.ts',
    changes: [['t.granted_at >= ${periodStart}', 'true']],
  },
  {
    name: 'granted-beyond-cap',
    removes: 'refusing the call that would go beyond a cap',
    file: 'lib/adapters/sql/grants.ts',
    changes: [[' AND NOT EXISTS (SELECT FROM reached)', '']],
  },
  {
    name: 'cap-pauses-nothing',
    removes: 'the pause by which every worker sees that a cap is reached',
    file: 'lib/adapters/sql/grants.ts',
    changes: [
      [
        '${BUDGET_PAUSE}::text, sentence FROM reached',
        '${BUDGET_PAUSE}::text, sentence FROM reached WHERE false',
      ],
    ],
  },
  {
    name: 'grant-keeps-its-estimate',
    removes: 'counting a call that is not written yet by its bill',
    file: 'lib/adapters/sql/grants.ts',
    changes: [['SET estimated_cost_usd = ${costUsd}::float8', 'SET estimated_cost_usd = estimated_cost_usd']],
  },
  {
    name: 'purchase-lost-for-its-bill',
    removes: 'keeping what was bought where the database does not take its bill',
    file: 'lib/pipeline/embed/call-provider.ts',
    changes: [
      ["    logger.warn('bill-not-noted', {", "    throw error;\n    logger.warn('bill-not-noted', {"],
    ],
  },
  {
    name: 'bought-in-vain-is-necessary',
    removes: 'entering what was bought and not stored as unnecessary',
    file: 'lib/adapters/sql/outcome-store.ts',
    changes: [
      ['      if (hasUnstored(unwritten, written)) await noteUnstored(transaction, space, unwritten);\n', ''],
    ],
  },
  {
    name: 'failed-calls-are-necessary',
    removes: 'counting a call that brought nothing as unnecessary',
    file: 'lib/adapters/sql/necessary-spending.ts',
    changes: [["l.outcome = 'ok' AND l.items > 0", 'true']],
  },
  {
    name: 'budget-pause-outlives-period',
    removes: 'lifting the pause of a cap when its period is over',
    file: 'lib/adapters/sql/caps.ts',
    changes: [[' AND p.since >= ${periodStart})', ')']],
  },
  {
    name: 'cap-taken-for-a-fault',
    removes: 'telling a cap that is reached from a model or a source at fault',
    file: 'lib/pipeline/guard/guard.ts',
    changes: [[' && reason !== BUDGET_PAUSE);', ');']],
  },
  {
    name: 'day-told-of-any-cap',
    removes: 'telling of the day what everything cost, and not one source',
    file: 'lib/pipeline/detect/spending.ts',
    changes: [["if (scope === PIPELINE_SCOPE && period === 'day')", "if (period === 'day')"]],
  },
  {
    name: 'granted-rate-unpaid',
    removes: 'owing the tokens that were granted',
    file: 'lib/adapters/sql/rates.ts',
    changes: [
      ['THEN ${now} + d.tokens_owed + ${tokens}::float8 / d.tokens_rate', 'THEN ${now} + d.tokens_owed'],
    ],
  },
  {
    name: 'edits-wait-in-line',
    removes: 'holding bulk work off while an edit waits',
    file: 'lib/adapters/sql/rates.ts',
    changes: [['CASE WHEN r.fresh_waits_until IS NOT NULL AND', 'CASE WHEN r.fresh_waits_until IS NULL AND']],
  },
  {
    name: 'larger-than-burst-never',
    removes: 'granting a call that is larger than the burst once nothing is owed',
    file: 'lib/adapters/sql/rates.ts',
    changes: [['CASE WHEN ${seconds} > ${BURST_SECONDS}::float8 THEN', 'CASE WHEN ${seconds} < 0 THEN']],
  },
  {
    name: 'every-refusal-lowers',
    removes: 'taking refusals of one moment for one',
    file: 'lib/adapters/sql/rates.ts',
    changes: [['abs(${now} - p.throttled_at) >= ${THROTTLES_APART_SECONDS}::float8', 'true']],
  },
  {
    name: 'used-up-window-lowers-again',
    removes: 'taking refusals until the next right answer for one, where answers name the limit',
    file: 'lib/adapters/sql/rates.ts',
    changes: [['OR p.answered_at > p.throttled_at OR', 'OR true OR']],
  },
  {
    name: 'clock-back-stops-all',
    removes: 'owing no more than can be owed, after a clock stepped back',
    file: 'lib/adapters/sql/rates.ts',
    changes: [
      ['greatest(0, least(${due} - s.stepped - ${now},', 'greatest(0, greatest(${due} - s.stepped - ${now},'],
    ],
  },
  {
    name: 'refused-before-known',
    removes: 'telling a refusal of a call that no rate was asked for from one that was granted',
    file: 'lib/pipeline/embed/keep-rate.ts',
    changes: [['lowersRate: isGranted', 'lowersRate: true']],
  },
  {
    name: 'unnamed-window-lowers-again',
    removes: 'taking refusals without an answer between for one, where no answer names the limit',
    file: 'lib/adapters/sql/rates.ts',
    changes: [['abs(${now} - p.throttled_at) >= ${UNANSWERED_APART_SECONDS}::float8', 'true']],
  },
  {
    name: 'burst-after-refusal',
    removes: 'having nothing saved after a refusal, and saving nothing while the provider asks to wait',
    file: 'lib/adapters/sql/rates.ts',
    changes: [
      ['greatest(CASE WHEN ${isRefused} THEN', 'greatest(CASE WHEN false THEN'],
      ['requests_due = CASE WHEN ${isRefused} THEN', 'requests_due = CASE WHEN false THEN'],
    ],
  },
  {
    name: 'saved-while-told-to-wait',
    removes: 'saving nothing of the rate while the provider asks to wait',
    file: 'lib/adapters/sql/rates.ts',
    changes: [['sql`${now} + ${waitSeconds}::float8 + ${BURST_SECONDS}', 'sql`${now} + ${BURST_SECONDS}']],
  },
  {
    name: 'refusal-teaches-no-limit',
    removes: 'learning the limit that a refusal names',
    file: 'lib/pipeline/embed/call-provider.ts',
    changes: [['failure.rateLimits ?? reply?.rateLimits', 'reply?.rateLimits']],
  },
  {
    name: 'window-end-taken-for-size',
    removes: 'telling a window that is nearly used up from a call that is too large',
    file: 'lib/pipeline/embed/call-with-retries.ts',
    changes: [['if (wasAnsweredLately(provider, request, ports.clock.now())) return refused;', '']],
  },
  {
    name: 'lower-limit-lowered-again',
    removes: 'taking a lower limit that an answer names whole, whatever was refused before',
    file: 'lib/adapters/sql/rates.ts',
    changes: [['CASE WHEN ${isLower} THEN 1', 'CASE WHEN false THEN 1']],
  },
  {
    name: 'unlimited-start-lowers',
    removes: 'explaining the refusals of a first window by the calls of those who knew no limit yet',
    file: 'lib/adapters/sql/rates.ts',
    changes: [["coalesce(p.tokens_per_minute, 'infinity')", 'p.tokens_per_minute']],
  },
  {
    name: 'window-before-lowers-again',
    removes: 'explaining the refusals of a window by the limit that was lowered in it',
    file: 'lib/adapters/sql/rates.ts',
    changes: [['THEN ${now} + ${WINDOW_SECONDS}::float8\n', 'THEN p.throttled_at\n']],
  },
  {
    name: 'held-rows-not-lent',
    removes: 'lending rows to edits while their call waits for the rate',
    file: 'lib/pipeline/embed/keep-rate.ts',
    changes: [
      ["if (request.lane === 'fresh' || request.held === undefined) return waiting;", 'return waiting;'],
    ],
  },
  {
    name: 'lent-rows-bought-anyway',
    removes: 'making no call for rows that an edit took over',
    file: 'lib/pipeline/embed/lend-rows.ts',
    changes: [["back.length === lent.length ? answer : 'taken'", 'answer']],
  },
  {
    name: 'lent-rows-not-taken-back',
    removes: 'taking lent rows back before their call is made',
    file: 'lib/pipeline/embed/lend-rows.ts',
    changes: [['await embedding.beginEmbedding(space, dispatchId, lent)', 'lent']],
  },
  {
    name: 'all-ask-at-once',
    removes: 'asking for the rate one call of a process after the other',
    file: 'lib/pipeline/embed/keep-rate.ts',
    changes: [['  if (ports.runId === null) return', '  return']],
  },
  {
    name: 'closed-hours-are-not-counted',
    removes: 'counting the hours that are summed up against a cap',
    file: 'lib/adapters/sql/caps.ts',
    changes: [['WHERE t.hour >= ${periodStart}', 'WHERE t.hour > now()']],
  },
  {
    name: 'hours-are-summed-too-early',
    removes: 'summing up only the hours that are over',
    file: 'lib/adapters/sql/caps.ts',
    changes: [
      [
        "date_trunc('hour', (now() - make_interval",
        "date_trunc('hour', (now() + interval '2 hours' - make_interval",
      ],
    ],
  },
  {
    name: 'closed-hours-stay-as-they-were',
    removes: 'summing up an hour again whose rows came late',
    file: 'lib/adapters/sql/caps.ts',
    changes: [['DO UPDATE SET cost_usd = excluded.cost_usd', 'DO UPDATE SET cost_usd = spending.cost_usd']],
  },
  {
    name: 'hours-ahead-are-counted',
    removes: 'counting the ledger where a clock was ahead when its hours were summed up',
    file: 'lib/adapters/sql/caps.ts',
    changes: [['WHERE s.hour < ${closedUntil})', ')']],
  },
  {
    name: 'time-comes-again',
    removes: 'telling a clock that stepped back from a rate that is owed',
    file: 'lib/adapters/sql/rates.ts',
    changes: [['THEN p.granted_at - ${now} ELSE 0 END AS stepped', 'THEN 0 ELSE 0 END AS stepped']],
  },
  {
    name: 'failure-forgotten',
    removes: 'smaller calls where a failed one takes the share of the rate that the next one waits for',
    file: 'lib/pipeline/embed/buy-vectors.ts',
    changes: [['if (ended && results.size === 0) await', 'if (ended && results.size < 0) await']],
  },
  {
    name: 'refused-come-back-together',
    removes: 'a moment of its own for each message that comes back',
    file: 'lib/adapters/sql/rates.ts',
    changes: [['${SLOT_SHARE}::float8 * d.slot_seconds', '0 * d.slot_seconds']],
  },
  {
    name: 'rate-asked-in-vain',
    removes: 'waiting for a share of the rate before a call',
    file: 'lib/pipeline/embed/keep-rate.ts',
    changes: [['if (!isLimited(await findLimits(ports, request))) ', '']],
  },
  {
    name: 'lasting-refusal-changes-nothing',
    removes: 'making calls smaller that a provider refuses again after the patience that it asked for',
    file: 'lib/pipeline/embed/call-with-retries.ts',
    changes: [["const mayBeSize = access === 'probe' ?", "const mayBeSize = access === 'open' ?"]],
  },
];

/** Caps and rates: what keeps a bill and a provider's limit, tried by suites of their own. */
export const LIMIT_MUTANTS: readonly Mutant[] = MUTANTS.map(mutant => ({ ...mutant, dies: 'limits' }));
