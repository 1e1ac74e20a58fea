import type { Lane } from './model.ts';
import { formatDuration } from './quantities.ts';
import type { RateLimits } from './rate.ts';
import { formatCount } from './run-end.ts';

/** How the work of a model flows: what limits it, what it takes of that, and what waits. */
export interface ModelFlow {
  readonly model: string;
  /** The lower ones of the configuration and of what answers named. Null: none is known. */
  readonly limits: RateLimits;
  /** Calls and tokens that the ledger has of the last minute. */
  readonly used: { readonly requests: number; readonly tokens: number };
  /** The share of the limits that refusals for going too fast left, 0 to 1. */
  readonly share: number;
  /** When such a refusal last lowered the share, as the database writes a time. Null: never. */
  readonly throttledAt: string | null;
  /** Seconds that the provider still wants to be left alone. 0: it does not. */
  readonly waitSeconds: number;
  /** Whether bulk work lets an edit go first now. */
  readonly isEditFirst: boolean;
  /** Calls under way. */
  readonly calls: number;
  /** Calls that there may be at once. Null: nothing was learned yet. */
  readonly callsAtOnce: number | null;
  /** Rows on their way, by lane; a lane with none is left out. */
  readonly queues: readonly QueuedRows[];
  /** What the batch lane holds of the model. Null: nothing. */
  readonly batches: BatchedTexts | null;
}

export interface QueuedRows {
  readonly lane: Lane;
  /** Rows whose texts are not embedded yet. */
  readonly waiting: number;
  /** Rows whose vectors are on their way to the table. */
  readonly announced: number;
  /** Rows that wait for a batch. */
  readonly batched: number;
  /** Since the row that waits longest was found. */
  readonly oldestSeconds: number;
}

export interface BatchedTexts {
  /** Batches that the provider has not answered yet. */
  readonly open: number;
  readonly texts: number;
  /** Texts that wait for the next batch. */
  readonly collected: number;
  /** Since the oldest open batch was made. 0: none is open. */
  readonly oldestSeconds: number;
  /** Why no batch is submitted now, as a code. Null: nothing keeps it. */
  readonly heldBy: string | null;
}

/** What `status` and the page say of a model's calls and of its limits, where it has any. */
export function describeLimits(flow: ModelFlow): string {
  const { limits, used, share, throttledAt, waitSeconds, isEditFirst, calls, callsAtOnce } = flow;
  const { requestsPerMinute, tokensPerMinute } = limits;
  const of = (limit: number | null) => (limit === null ? '' : ` of ${formatCount(limit)}`);
  return [
    `${formatCount(used.requests)}${of(requestsPerMinute)} requests and ` +
      `${formatCount(used.tokens)}${of(tokensPerMinute)} tokens in the last minute`,
    ...(calls > 0 ? [`${calls}${of(callsAtOnce)} ${calls === 1 ? 'call' : 'calls'} under way`] : []),
    ...(throttledAt === null
      ? []
      : [
          share < 1
            ? `throttled at ${throttledAt}, now at ${Math.floor(100 * share)} % of the limit`
            : `last throttled at ${throttledAt}`,
        ]),
    ...(waitSeconds > 0 ? [`the provider asks to wait ${formatDuration(waitSeconds * 1000)}`] : []),
    ...(isEditFirst ? ['bulk work lets an edit go first'] : []),
  ].join('; ');
}

/** Whether anything is known to limit the calls of a model; nothing limits a built-in one. */
export function hasLimits({ limits }: ModelFlow): boolean {
  return limits.requestsPerMinute !== null || limits.tokensPerMinute !== null;
}

/** What they say of the rows of a lane. */
export function describeQueue({ waiting, announced, batched, oldestSeconds }: QueuedRows): string {
  const parts = [
    `${formatCount(waiting)} ${waiting === 1 ? 'row waits' : 'rows wait'}`,
    ...(announced > 0 ? [`${formatCount(announced)} to be written`] : []),
    ...(batched > 0 ? [`${formatCount(batched)} in the batch lane`] : []),
  ];
  return `${parts.join(', ')}; the oldest for ${formatDuration(oldestSeconds * 1000)}`;
}

/** What they say of the batches of a model. */
export function describeBatches({ open, texts, collected, oldestSeconds, heldBy }: BatchedTexts): string {
  return [
    open === 0
      ? 'no batch is open'
      : `${formatCount(open)} open ${open === 1 ? 'batch' : 'batches'} with ${formatCount(texts)} texts, ` +
        `the oldest for ${formatDuration(oldestSeconds * 1000)}`,
    ...(collected > 0 ? [`${formatCount(collected)} texts wait for the next one`] : []),
    ...(heldBy === null ? [] : [`none is submitted now: ${heldBy}`]),
  ].join('; ');
}

/** Whether there is anything to say of a model's limits. */
export function isAtWork({ limits, used, calls, throttledAt, waitSeconds }: ModelFlow): boolean {
  const { requestsPerMinute, tokensPerMinute } = limits;
  const isLimited = requestsPerMinute !== null || tokensPerMinute !== null;
  return isLimited || used.requests > 0 || calls > 0 || throttledAt !== null || waitSeconds > 0;
}
