import { formatDuration } from '../../core/quantities.ts';
import { ServiceRefusal } from '../../core/service-refusal.ts';

/** What a queue takes, and what one call of it takes. */
export interface QueueBounds {
  /** Calls at the same time. */
  readonly workers: number;
  readonly maxTextsPerCall: number;
  readonly maxTokensPerCall: number;
  /** Tokens that may wait. A request above it is taken where nothing waits, else never. */
  readonly queueTokens: number;
  /** Milliseconds that a request may expect to take, by the measured pace of the queue. */
  readonly queueMs: number;
}

interface Amount {
  readonly texts: number;
  readonly tokens: number;
}

/** How much each call leaves of those before it: about the last ten count. */
const KEPT_OF_EARLIER = 0.9;
/** Tokens per second that are assumed of one worker until a call was measured. */
const ASSUMED_TOKENS_PER_SECOND = 2000;

/** A call that has ended, as the pace sees it. */
interface EndedCall {
  readonly tokens: number;
  readonly startedMs: number;
  /** Whether texts were left in the queue when the call was made. */
  readonly wasFull: boolean;
  /** Whether texts waited when it ended. */
  readonly hasOthers: boolean;
}

/**
 * How fast the queue of a model moves, told from calls that ended while others waited.
 * A call of an idle service tells little: one short text takes as long as many do, and other
 * workers stood still. What is measured is the time from one end to the next, so that calls at the
 * same time share it, whether they help or hinder each other.
 *
 * Where the bound is shorter than two full calls, none is full any more. A call with room, behind
 * which others wait, then tells bounds: a full one takes at least as long, and no more a token.
 */
export class QueuePace {
  /** Sums over the calls that count, the older ones for less. */
  #calls = 0;
  #tokens = 0;
  #ms = 0;
  #lastEndMs = Number.NEGATIVE_INFINITY;

  /** Notes that a call ended. */
  ended({ tokens, startedMs, wasFull, hasOthers }: EndedCall, nowMs: number): void {
    const sinceMs = Math.max(0, nowMs - Math.max(startedMs, this.#lastEndMs));
    this.#lastEndMs = nowMs;
    if (wasFull) this.#count(tokens, sinceMs);
    else if (hasOthers && this.#calls > 0) this.#countBounds(tokens, sinceMs);
  }

  #countBounds(tokens: number, ms: number): void {
    const full = { tokens: this.#tokens / this.#calls, ms: this.#ms / this.#calls };
    if (ms > full.ms) this.#count(Math.max(tokens, full.tokens), ms);
    else if (ms * full.tokens < tokens * full.ms) this.#count(tokens, ms);
  }

  #count(tokens: number, ms: number): void {
    this.#calls = KEPT_OF_EARLIER * this.#calls + 1;
    this.#tokens = KEPT_OF_EARLIER * this.#tokens + tokens;
    this.#ms = KEPT_OF_EARLIER * this.#ms + ms;
  }

  /** Milliseconds until so many tokens are done. Undefined: no full call has been measured. */
  measuredMs(tokens: number): number | undefined {
    return this.#tokens === 0 ? undefined : (tokens * this.#ms) / this.#tokens;
  }
}

const LONGEST_RETRY_SECONDS = 60;
/**
 * Calls for each worker that may wait before a full one has told the pace.
 * With one of them nothing would be left behind a call, so that none would be full.
 */
const CALLS_BEFORE_PACE = 2;

/**
 * Refuses new texts that would wait too long.
 * What nothing goes before is taken, whatever its size, so that nothing is refused for ever.
 * @param ahead what goes before them in the queue; `calledTokens` are those in calls
 * @throws ServiceRefusal `rate_limited`
 */
export function requireRoom(
  pace: QueuePace,
  { workers, maxTextsPerCall, maxTokensPerCall, queueTokens, queueMs }: QueueBounds,
  ahead: Amount & { readonly calledTokens: number },
  added: Amount,
): void {
  if (added.texts === 0 || ahead.texts === 0) return;
  const texts = ahead.texts + added.texts;
  const tokens = ahead.tokens + added.tokens;
  const expectedMs = pace.measuredMs(ahead.calledTokens + tokens);
  const calls = workers * CALLS_BEFORE_PACE;
  const isLate =
    expectedMs === undefined
      ? tokens > calls * maxTokensPerCall || texts > calls * maxTextsPerCall
      : expectedMs > queueMs;
  if (!isLate && tokens <= queueTokens) return;
  const beforeIt = ahead.calledTokens + ahead.tokens;
  const waitMs = pace.measuredMs(beforeIt) ?? (beforeIt * 1000) / (ASSUMED_TOKENS_PER_SECOND * workers);
  throw new ServiceRefusal(
    'rate_limited',
    expectedMs !== undefined && isLate
      ? `The queue of the model is full: the request would take about ${formatDuration(expectedMs)}, and ` +
          `${formatDuration(queueMs)} is the most.`
      : `The queue of the model is full: ${ahead.tokens} tokens wait, and the request has ${added.tokens}.`,
    { retryAfterSeconds: Math.min(LONGEST_RETRY_SECONDS, Math.max(1, Math.ceil(waitMs / 1000))) },
  );
}
