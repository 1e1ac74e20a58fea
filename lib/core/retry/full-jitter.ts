/**
 * Milliseconds to wait before try `attempt` + 2, drawn with full jitter.
 * The wait lies between 0 and `baseMs` doubled `attempt` times, at most `capMs`. `fraction` is
 * uniform in [0, 1). Full jitter keeps workers that failed together from coming back together.
 */
export function fullJitterMs(attempt: number, fraction: number, baseMs = 500, capMs = 20_000): number {
  return Math.floor(fraction * Math.min(capMs, baseMs * 2 ** attempt));
}
