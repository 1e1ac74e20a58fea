import type { Space } from '../../core/model.ts';
import type { EmbedPorts } from './embed-ports.ts';

/** Rows of a message that wait for its calls, and the dispatch that holds them. */
export interface LendableRows {
  readonly dispatchId: string;
  /** Those whose texts are not decided yet. */
  readonly ids: () => readonly string[];
}

type LendingPorts = Pick<EmbedPorts, 'embedding' | 'clock'>;

/** Milliseconds of waiting after which rows are lent: two statements are dear for less. */
const LENT_AFTER_MS = 1_000;
/** Seconds by which the lease of a lent row outlives the wait. */
const LEASE_MARGIN_SECONDS = 60;

/** The reason of each abort. Without one, an abort makes an error with a stack for nobody. */
const ANSWERED = 'answered';

/**
 * Lends rows to edits while their call waits for the rate, and takes them back before it is made.
 * A row that is being embedded is left alone by every look: an edit of it would wait for as long as
 * the call, and where the rate is slow that is half a minute. A lent row is `queued`, which a look
 * for edits may take over. Its text here is out of date then, and the call is not made with it.
 * @returns the answer, or `taken`: a row was taken over, and what the answer granted is not used
 * @throws FreshetError where the database fails, and whatever `waiting` throws
 */
export async function lendRows<Answer>(
  { embedding, clock }: LendingPorts,
  space: Space,
  { dispatchId, ids }: LendableRows,
  { waiting, isGranted, remainingMs }: Wait<Answer>,
): Promise<Answer | 'taken'> {
  const over = new AbortController();
  const answered = waiting.finally(() => over.abort(ANSWERED));
  // It is awaited below, unless the database fails before.
  answered.catch(() => undefined);
  await clock.sleep(LENT_AFTER_MS, over.signal);
  const lent = ids();
  if (over.signal.aborted || lent.length === 0) return answered;
  const seconds = Math.ceil(remainingMs() / 1000) + LEASE_MARGIN_SECONDS;
  await embedding.postponeLeases(space, dispatchId, lent, seconds);
  const answer = await answered;
  if (!isGranted(answer)) return answer;
  const back = await embedding.beginEmbedding(space, dispatchId, lent);
  return back.length === lent.length ? answer : 'taken';
}

interface Wait<Answer> {
  readonly waiting: Promise<Answer>;
  readonly isGranted: (answer: Answer) => boolean;
  readonly remainingMs: () => number;
}
