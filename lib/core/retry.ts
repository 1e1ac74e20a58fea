/**
 * Milliseconds to wait before try `attempt` + 2, drawn with full jitter.
 * The wait lies between 0 and `baseMs` doubled `attempt` times, at most `capMs`. `fraction` is
 * uniform in [0, 1). Full jitter keeps workers that failed together from coming back together.
 */
export function fullJitterMs(attempt: number, fraction: number, baseMs = 500, capMs = 20_000): number {
  return Math.floor(fraction * Math.min(capMs, baseMs * 2 ** attempt));
}

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * The longest wait that a reply can ask for.
 * Asking once an hour harms nobody, and no reply can put rows away for longer: SQS hides a message
 * for at most 12 hours.
 */
const LONGEST_MS = 3_600_000;

/**
 * Milliseconds that a reply's headers ask us to wait, at most an hour.
 * `retry-after-ms` decides first, then `retry-after` (seconds or a date), then
 * `x-ratelimit-reset-requests` and `x-ratelimit-reset-tokens` (`1s`, `6m0s`, `20ms`, or seconds).
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
    parseRetryAfter(headers.get('retry-after'), nowMs) ??
    parseResets(headers)
  );
}

function parseResets(headers: { get(name: string): string | null }): number | undefined {
  const budgets = ['requests', 'tokens'].map(name => ({
    usedUp: headers.get(`x-ratelimit-remaining-${name}`)?.trim() === '0',
    resetMs: parseDuration(headers.get(`x-ratelimit-reset-${name}`)),
  }));
  const usedUp = budgets.filter(budget => budget.usedUp && budget.resetMs > 0);
  const binding = usedUp.length > 0 ? usedUp : budgets;
  return positive(Math.max(...binding.map(({ resetMs }) => resetMs)));
}

function parseRetryAfter(value: string | null, nowMs: number): number | undefined {
  if (value === null || value.trim() === '') return undefined;
  const seconds = Number(value);
  return positive(Number.isNaN(seconds) ? Date.parse(value) - nowMs : seconds * 1000);
}

function parseDuration(value: string | null): number {
  if (value === null) return 0;
  if (/^\d+(\.\d+)?$/.test(value)) return Number(value) * 1000;
  if (!/^(\d+(\.\d+)?(ms|[smhd]))+$/.test(value)) return 0;
  let sumMs = 0;
  for (const [, amount, unit] of value.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g)) {
    sumMs += Number(amount) * (UNITS_MS[unit ?? ''] ?? 0);
  }
  return sumMs;
}

function positive(ms: number): number | undefined {
  return Number.isFinite(ms) && ms > 0 ? Math.min(LONGEST_MS, Math.ceil(ms)) : undefined;
}
