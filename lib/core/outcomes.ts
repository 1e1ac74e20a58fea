import type { Outcome } from './model.ts';

/**
 * Coverage in percent, fresh / (eligible − excluded), floored to two decimals.
 * It is 100 only when complete, and when there is nothing to embed. The arguments are whole numbers
 * of rows.
 */
export function coveragePercent(fresh: number, eligible: number, excluded: number): number {
  const wanted = eligible - excluded;
  if (fresh >= wanted) return 100;
  // The quotient is computed in integers: near 10¹² rows a quotient of doubles rounds up to 1.
  return Number((BigInt(fresh) * 10_000n) / BigInt(wanted)) / 100;
}

/** Outcomes that are no failures: there is nothing that the model can embed, or too much. */
export const EXCLUDED_OUTCOMES = ['excluded:empty', 'excluded:unknown-words', 'too-long'] as const;

const PLAIN_OUTCOMES: readonly string[] = ['embedded', 'undelivered', ...EXCLUDED_OUTCOMES];

/** Codes are short and plain: they stand in columns, logs and reports. */
const FAILED_OUTCOME = /^(undelivered|refused):[A-Za-z0-9_.-]{1,100}$/;

/** Whether a value is what may be stored as the outcome of a row. */
export function isOutcome(value: unknown): value is Outcome {
  return typeof value === 'string' && (PLAIN_OUTCOMES.includes(value) || FAILED_OUTCOME.test(value));
}

/**
 * The outcome of a key that stands in several rows of its source, of which none can be meant.
 * While it holds, every row of the key counts as failed, whatever its version. Only a reconcile
 * pass looks again, and once the key stands in one row its text is embedded.
 */
export const DUPLICATE_KEY = 'refused:duplicate-key';

const REFUSED = 'refused:';
const UNDELIVERED = 'undelivered';

interface OutcomeFailure {
  readonly failureClass: string;
  readonly code: string;
}

/**
 * Translates a stored outcome into the failure class and code that people see.
 * Undefined where the outcome is no failure. The SQL of `failures` and `retry` translates the same
 * way.
 */
export function failureOfOutcome(outcome: string | null): OutcomeFailure | undefined {
  if (outcome?.startsWith(REFUSED)) return { failureClass: 'item', code: outcome.slice(REFUSED.length) };
  if (outcome === UNDELIVERED) return { failureClass: UNDELIVERED, code: UNDELIVERED };
  if (outcome?.startsWith(`${UNDELIVERED}:`))
    return { failureClass: UNDELIVERED, code: outcome.slice(UNDELIVERED.length + 1) };
  return undefined;
}

/**
 * Whether a person means a failure by `cause`.
 * The cause is a class or a code, as `failures` prints them. No failure matches no cause. The SQL
 * of `retry` says the same.
 */
export function isOfCause(failure: OutcomeFailure | undefined, cause: string): boolean {
  return failure !== undefined && (failure.failureClass === cause || failure.code === cause);
}

const INSTANT = /^(\d{4}-\d{2}-\d{2})(T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2}))?$/;

/**
 * Whether a value is `2026-03-01` (midnight UTC) or a time with its zone.
 * The day must exist in the calendar.
 */
export function isInstant(value: unknown): boolean {
  const [text, day] = typeof value === 'string' ? (INSTANT.exec(value) ?? []) : [];
  if (text === undefined || day === undefined || Number.isNaN(Date.parse(text))) return false;
  const midnight = Date.parse(`${day}T00:00:00Z`);
  return !Number.isNaN(midnight) && new Date(midnight).toISOString().startsWith(day);
}
