/**
 * What was learned of a model's server: how much at once it answers in time.
 * Every worker of the model obeys it. Null where nothing limits: the server was fast enough for
 * whatever the configuration allows.
 */
export interface Pace {
  readonly textsPerCall: number | null;
  readonly callsAtOnce: number | null;
  /** Of a call with no other beside it; null: not known. */
  readonly secondsPerToken: number | null;
}

/** The pace of a server that nobody asked yet: one call shows how fast it is. */
export const FIRST_PACE: Pace = { textsPerCall: null, callsAtOnce: 1, secondsPerToken: null };

/** What the configuration allows for a model. */
export interface PaceBounds {
  readonly timeoutSeconds: number;
  readonly mostTexts: number;
  /** Calls that all workers together may have under way. */
  readonly mostCalls: number;
}

/** A call of which something is learned. */
interface SeenCall {
  /** False: the time-out or a broken connection ended the call. */
  readonly isAnswered: boolean;
  readonly texts: number;
  readonly tokens: number;
  readonly seconds: number;
  /** Calls of the model under way when this one began, itself included. */
  readonly callsAtOnce: number;
}

/**
 * The share of the time-out in which calls should be answered.
 * The other half is kept for longer texts, and for what a server still computes for nobody.
 */
const AIMED_SHARE = 0.5;
/** The share of the time-out below which a call may carry more texts. */
const ROOMY_SHARE = 0.25;
/** How many times slower than alone a call may be before it counts as waiting for others. */
const TOLERATED_SLOWDOWN = 1.5;
/** Full calls in which the texts per call grow from nothing to all that are allowed. */
const GROWING_CALLS = 10;

/**
 * Learns from a call: the pace of the calls after it.
 * A call without an answer halves the texts of the next one and the calls at once, even where
 * nothing succeeded before. An answer that took long makes calls smaller in proportion; quick
 * answers let them grow by steps. The calls at once follow a gradient of seconds per token (per
 * call, a larger batch would look like congestion): a server that answers k calls as fast as one
 * gets k + 1, and a serial one gets 2, which keeps it busy and does not drown it. A server of which
 * even a serial one's answers would come in time is not limited at all.
 */
export function learnPace(pace: Pace, call: SeenCall, bounds: PaceBounds): Pace {
  if (!call.isAnswered) {
    // One text alone may be at fault itself, and no call is smaller.
    const isAlone = call.texts === 1;
    return {
      ...pace,
      textsPerCall: isAlone ? pace.textsPerCall : least(pace.textsPerCall, Math.floor(call.texts / 2)),
      callsAtOnce: least(pace.callsAtOnce, Math.max(1, Math.floor(call.callsAtOnce / 2))),
    };
  }
  const secondsPerToken = call.seconds / Math.max(1, call.tokens);
  const isFull = 2 * call.texts >= (pace.textsPerCall ?? bounds.mostTexts);
  // Calls have a fixed cost, so that a small one says little of a token.
  const known = pace.secondsPerToken;
  const isMeasured = known === null || (isFull && (call.callsAtOnce === 1 || secondsPerToken < known));
  const alone = isMeasured ? secondsPerToken : known;
  const textsPerCall = resizeCalls(pace.textsPerCall, call, bounds);
  const slowdown = isFull && alone > 0 ? secondsPerToken / alone : 1;
  const callsAtOnce = countCallsAtOnce({ ...pace, textsPerCall }, call, slowdown, bounds);
  return { textsPerCall, callsAtOnce, secondsPerToken: alone };
}

/** Halves the texts of the next call, where calls of so many are refused again and again. */
export function shrinkCalls(pace: Pace, texts: number): Pace {
  return { ...pace, textsPerCall: least(pace.textsPerCall, Math.max(1, Math.floor(texts / 2))) };
}

function resizeCalls(limit: number | null, { texts, seconds }: SeenCall, bounds: PaceBounds): number | null {
  const { timeoutSeconds, mostTexts } = bounds;
  const inTime = Math.max(1, Math.floor((texts * AIMED_SHARE * timeoutSeconds) / seconds));
  if (seconds > AIMED_SHARE * timeoutSeconds) return least(limit, inTime);
  if (limit === null || 2 * texts < limit || seconds >= ROOMY_SHARE * timeoutSeconds) return limit;
  const grown = Math.min(limit + Math.ceil(mostTexts / GROWING_CALLS), 2 * limit, inTime);
  return grown >= mostTexts ? null : grown;
}

function countCallsAtOnce(
  { textsPerCall, callsAtOnce }: Pace,
  call: SeenCall,
  slowdown: number,
  { timeoutSeconds, mostTexts, mostCalls }: PaceBounds,
): number | null {
  const aimedSeconds = AIMED_SHARE * timeoutSeconds;
  if (callsAtOnce === null && call.seconds <= aimedSeconds) return null;
  // As if the server computed one call after the other.
  const lastSeconds = (call.seconds * Math.max(mostTexts / call.texts, 1) * mostCalls) / call.callsAtOnce;
  if (textsPerCall === null && lastSeconds <= aimedSeconds) return null;
  const limit = callsAtOnce ?? call.callsAtOnce;
  if (slowdown <= TOLERATED_SLOWDOWN) return Math.max(limit, Math.min(mostCalls, call.callsAtOnce + 1));
  const inParallel = Math.max(1, Math.round(call.callsAtOnce / slowdown));
  return Math.min(limit, inParallel + 1);
}

const least = (limit: number | null, count: number) => Math.min(limit ?? count, count);

/**
 * Texts of each call where `texts` are bought by calls of at most `mostPerCall`, all of one size.
 * A small call at the end would say nothing of the server.
 */
export function evenSize(texts: number, mostPerCall: number): number {
  return Math.ceil(texts / Math.ceil(texts / mostPerCall));
}

/** Whether two paces limit alike. */
export function limitsAlike(a: Pace, b: Pace): boolean {
  return a.textsPerCall === b.textsPerCall && a.callsAtOnce === b.callsAtOnce;
}

/**
 * Seconds that a call is expected to take; undefined: nobody knows.
 * The calls beside it may all be full, and before it in the server's queue.
 */
export function expectSeconds(
  { secondsPerToken, callsAtOnce, textsPerCall }: Pace,
  { texts, tokens }: Pick<SeenCall, 'texts' | 'tokens'>,
  mostTexts: number,
): number | undefined {
  if (secondsPerToken === null) return undefined;
  const fullCalls = ((callsAtOnce ?? 1) - 1) * Math.max(1, (textsPerCall ?? mostTexts) / texts);
  return secondsPerToken * tokens * (1 + fullCalls);
}

/**
 * Whether a failure code says that no answer came, so that the call may have been too large.
 * A gateway's 504 and 524 say that the server behind it gave none. A connection that never came
 * about says nothing of the call.
 */
export function isUnanswered(code: string): boolean {
  return UNANSWERED.has(code);
}

const UNANSWERED: ReadonlySet<string> = new Set([
  'timeout',
  'container_timeout',
  'http_504',
  'http_524',
  'network_econnreset',
  'network_und_err_socket',
  'network_und_err_headers_timeout',
  'network_und_err_body_timeout',
]);

const TIME_OUTS: ReadonlySet<string> = new Set(['timeout', 'container_timeout']);

/** Describes a call without an answer: what was seen, and which limits to set. */
export function describeUnanswered(
  modelAlias: string,
  { texts, seconds }: Pick<SeenCall, 'texts' | 'seconds'>,
  code: string,
): string {
  const key = `models.${modelAlias}`;
  const sent = texts === 1 ? 'a call of 1 text' : `a call of ${texts} texts`;
  const seen =
    `The server of model "${modelAlias}" gave no answer to ${sent} ` + `in ${seconds.toFixed(0)} s (${code})`;
  const longer = TIME_OUTS.has(code) ? `${key}.timeoutSeconds above ${seconds.toFixed(0)}` : undefined;
  if (texts === 1)
    return `${seen}. Look whether it works${longer === undefined ? '' : `, or set ${longer}`}.`;
  const limits = [`${key}.limits.maxTextsPerCall below ${texts}`, longer].filter(
    limit => limit !== undefined,
  );
  return `${seen}; the next call is smaller. If that does not suffice, set ${limits.join(', or ')}.`;
}
