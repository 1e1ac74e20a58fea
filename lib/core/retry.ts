/**
 * Milliseconds to wait before try `attempt` + 2, drawn with full jitter.
 * The wait lies between 0 and `baseMs` doubled `attempt` times, at most `capMs`. `fraction` is
 * uniform in [0, 1). Full jitter keeps workers that failed together from coming back together.
 */
export function fullJitterMs(attempt: number, fraction: number, baseMs = 500, capMs = 20_000): number {
  return Math.floor(fraction * Math.min(capMs, baseMs * 2 ** attempt));
}

const UNITS_MS: Readonly<Record<string, number>> = {
  ...{ ns: 1e-6, us: 1e-3, µs: 1e-3, μs: 1e-3, ms: 1 },
  ...{ s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 },
};
const NUMBER = /^\d+(\.\d+)?$/;
const DURATION = /^(\d+(\.\d+)?(ns|us|[\u00b5\u03bc]s|ms|[smhd]))+$/;
/** A date of HTTP in its three forms, or of ISO 8601: of others `Date.parse` takes any year. */
const DATE = /^([A-Z][a-z]{2,8},? .*\d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\d\d:\d\d)/;
/** From here on a number of seconds is a moment since 1970, or one in milliseconds. */
const MOMENT_SECONDS = 1e9;
const MOMENT_MS = 1e12;

/**
 * The longest wait that a reply can ask for.
 * Asking once an hour harms nobody, and no reply can put rows away for longer: SQS hides a message
 * for at most 12 hours.
 */
const LONGEST_MS = 3_600_000;

/**
 * Milliseconds that a reply's headers ask us to wait, at most an hour.
 * `retry-after-ms` decides first, then `retry-after`, then `x-ratelimit-reset-requests` and
 * `x-ratelimit-reset-tokens`. Each of the last three may be seconds, a duration (`1s`, `6m0s`,
 * `20ms`), a date or a moment since 1970.
 * Of the last two, the budget that is used up counts; the later one counts where neither or both
 * are said to be used up. Headers that are zero, negative (Azure sends those) or unreadable are
 * ignored.
 */
export function parseWaitHint(
  headers: { get(name: string): string | null },
  nowMs: number,
): number | undefined {
  return (
    positive(Number(headers.get('retry-after-ms') ?? Number.NaN)) ??
    positive(parseWait(headers.get('retry-after'), nowMs)) ??
    parseResets(headers, nowMs)
  );
}

function parseResets(headers: { get(name: string): string | null }, nowMs: number): number | undefined {
  const budgets = ['requests', 'tokens'].map(name => ({
    usedUp: headers.get(`x-ratelimit-remaining-${name}`)?.trim() === '0',
    resetMs: parseWait(headers.get(`x-ratelimit-reset-${name}`), nowMs),
  }));
  const usedUp = budgets.filter(budget => budget.usedUp && budget.resetMs > 0);
  const binding = usedUp.length > 0 ? usedUp : budgets;
  return positive(Math.max(...binding.map(({ resetMs }) => resetMs)));
}

/** Reads one wait in milliseconds; 0 where nothing can be read of it, or where it is over. */
function parseWait(value: string | null, nowMs: number): number {
  const text = value?.trim() ?? '';
  if (NUMBER.test(text)) return waitFor(Number(text), nowMs);
  if (DATE.test(text)) return Math.max(0, Date.parse(text) - nowMs) || 0;
  if (!DURATION.test(text)) return 0;
  let sumMs = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)([a-z\u00b5\u03bc]+)/g)) {
    sumMs += Number(amount) * (UNITS_MS[unit ?? ''] ?? 0);
  }
  return sumMs;
}

function waitFor(seconds: number, nowMs: number): number {
  if (seconds < MOMENT_SECONDS) return seconds * 1000;
  return Math.max(0, (seconds < MOMENT_MS ? seconds * 1000 : seconds) - nowMs);
}

function positive(ms: number): number | undefined {
  return Number.isFinite(ms) && ms > 0 ? Math.min(LONGEST_MS, Math.ceil(ms)) : undefined;
}
