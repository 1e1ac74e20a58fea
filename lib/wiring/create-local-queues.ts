import { createInProcessQueue } from '../adapters/memory/in-process-queue.ts';
import { parseAnnounceMessage } from '../core/messages/parse-announce-message.ts';
import type { Lane } from '../core/model/vocabulary.ts';
import type { LocalQueue, LocalRunParts } from '../pipeline/local/local-run-parts.ts';
import type { Clock } from '../ports/clock.ts';
import type { Randomness } from '../ports/randomness.ts';

export const LOCAL_MAX_RECEIVES = 5;
/**
 * Seconds after which a result that a failed write left is taken up again.
 * The time is short, because writes are repeatable and run one at a time.
 */
export const RESULTS_VISIBILITY_SECONDS = 15;

interface LocalQueueOptions {
  readonly aliases: readonly string[];
  /** Longer than an embed invocation may take. */
  readonly dispatchVisibilitySeconds: number;
  readonly clock: Clock;
  readonly randomness: Randomness;
  /** Told the key of each result object whose message was acknowledged. */
  readonly onWritten: (key: string) => void;
}

/**
 * Creates the queues of a deployed pipeline in this process.
 * There are two lanes per model and the results, each with its dead letters.
 */
export function createLocalQueues(options: LocalQueueOptions): LocalRunParts['queues'] {
  const deadLetters: LocalQueue[] = [];
  const create = (name: string, visibilitySeconds: number): LocalQueue => {
    const { clock, randomness } = options;
    const base = { clock, randomness, visibilitySeconds: 30 };
    const deadLetter = createInProcessQueue({
      ...base,
      name: `${name}-dead`,
      maxReceiveCount: Number.MAX_SAFE_INTEGER,
    });
    deadLetters.push(deadLetter);
    return createInProcessQueue({
      ...base,
      name,
      visibilitySeconds,
      maxReceiveCount: LOCAL_MAX_RECEIVES,
      deadLetter,
    });
  };
  const lanes: readonly Lane[] = ['fresh', 'bulk'];
  const dispatch = options.aliases.flatMap(modelAlias =>
    lanes.map(lane => ({
      modelAlias,
      lane,
      queue: create(`${modelAlias}-${lane}`, options.dispatchVisibilitySeconds),
    })),
  );
  const results = forgetWritten(create('results', RESULTS_VISIBILITY_SECONDS), options.onWritten);
  return { dispatch, results, deadLetters };
}

/**
 * Tells which result objects are written, so that they can be forgotten.
 * The objects of a run would otherwise stay in memory until it ends: 6 KB for each row of 1536
 * dimensions.
 */
function forgetWritten(queue: LocalQueue, onWritten: (key: string) => void): LocalQueue {
  const keys = new Map<string, string>();
  return {
    ...queue,
    async receive(limit) {
      const received = await queue.receive(limit);
      for (const { receiptHandle, body } of received) keys.set(receiptHandle, parseAnnounceMessage(body).key);
      return received;
    },
    async delete(receiptHandle) {
      await queue.delete(receiptHandle);
      const key = keys.get(receiptHandle);
      keys.delete(receiptHandle);
      if (key !== undefined) onWritten(key);
    },
  };
}
