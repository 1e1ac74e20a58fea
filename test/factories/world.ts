import { createInProcessObjectStore, createInProcessQueue } from '../../lib/adapters/in-process.ts';
import type { Lane, Space } from '../../lib/core/model.ts';
import { createRunTally } from '../../lib/local/run-tally.ts';
import type { DetectPorts } from '../../lib/pipeline/detect/detect-ports.ts';
import type { EmbedPorts } from '../../lib/pipeline/embed/embed-ports.ts';
import type { WritePorts } from '../../lib/pipeline/write/write-step.ts';
import type { Tokenizer } from '../../lib/ports/provider.ts';
import { type CallLog, createCallLog } from '../doubles/call-log.ts';
import { createRecordingLogger } from '../doubles/recording-logger.ts';
import { createRecordingMetrics } from '../doubles/recording-metrics.ts';
import { createScriptedProvider } from '../doubles/scripted-provider.ts';
import { createSeededRandomness } from '../doubles/seeded-randomness.ts';
import { createVirtualClock, type VirtualClock } from '../doubles/virtual-clock.ts';
import { makeLoggedTwin } from './logged-twin.ts';
import { makeSpace } from './space.ts';

/** Makes a tokenizer that takes each character for a token and counts how often it was asked. */
export function createCountingTokenizer(): Tokenizer & { asked: number } {
  const tokenizer = {
    asked: 0,
    async count(text: string) {
      tokenizer.asked += 1;
      return text.length;
    },
    async truncate(text: string, maxTokens: number) {
      tokenizer.asked += 1;
      return { text: text.slice(0, maxTokens), tokens: Math.min(text.length, maxTokens) };
    },
  };
  return tokenizer;
}

export const MAX_RECEIVE_COUNT = 5;

interface EarlierWorld {
  readonly clock: VirtualClock;
  readonly calls: CallLog;
  readonly database: ReturnType<typeof makeLoggedTwin>;
}

/**
 * Makes the three steps on doubles: everything that the pipeline touches, all in this process.
 *
 * `twin` is the database. `calls` notes what is asked of its ports, of `objects.put` and of the
 * queue of announcements, and fails the calls that a test picks. No cap is configured. With `earlier`, the database and
 * the clock of that world go on in this one, as if a new process had opened them.
 */
export function makeWorld(spaces: readonly Space[] = [makeSpace()], batchSize = 100, earlier?: EarlierWorld) {
  const clock: VirtualClock = earlier?.clock ?? createVirtualClock();
  const randomness = createSeededRandomness();
  const calls = earlier?.calls ?? createCallLog();
  const database = earlier?.database ?? makeLoggedTwin(clock, spaces, calls);
  const deadLetters = createInProcessQueue({
    ...{ visibilitySeconds: 60, maxReceiveCount: 1_000, clock, randomness },
  });
  const makeQueue = () =>
    createInProcessQueue({
      ...{ visibilitySeconds: 900, maxReceiveCount: MAX_RECEIVE_COUNT },
      ...{ deadLetter: deadLetters, clock, randomness },
    });
  const results = makeQueue();
  const aliases = [...new Set(spaces.map(({ model }) => model.alias))];
  const lanes: Lane[] = ['fresh', 'bulk'];
  const dispatch = aliases.flatMap(modelAlias =>
    lanes.map(lane => ({ modelAlias, lane, queue: makeQueue() })),
  );
  const queueOf = (modelAlias: string, lane: Lane) => {
    const found = dispatch.find(queue => queue.modelAlias === modelAlias && queue.lane === lane);
    if (!found) throw new Error(`no queue ${modelAlias} ${lane}`);
    return found.queue;
  };
  const store = createInProcessObjectStore();
  const objects = {
    ...store,
    put: (key: string, body: Buffer) => {
      calls.note('put');
      return store.put(key, body);
    },
  };
  const announcing = {
    ...results,
    send: (messages: Parameters<typeof results.send>[0]) => {
      calls.note('announce');
      return results.send(messages);
    },
  };
  const provider = createScriptedProvider();
  const tally = createRunTally(clock);
  const shared = {
    spaces: database.spaces,
    control: database.control,
    queues: queueOf,
    objects,
    clock,
    randomness,
    metrics: createRecordingMetrics(),
    logger: createRecordingLogger(),
    runId: null,
    observer: tally,
  };
  const detectPorts: DetectPorts = {
    ...shared,
    detection: database.detection,
    limits: { batchSize, maxInFlight: 10_000, sliceRows: 1_000, queuedLeaseSeconds: 3_600 },
  };
  const tokenizer = createCountingTokenizer();
  const { noteBill: _, ...embedding } = database.embedding;
  const embedPorts: EmbedPorts = {
    ...shared,
    embedding,
    pace: database.pace,
    providers: () => provider,
    tokenizer,
    results: announcing,
    limits: {
      ...{ batchSize, callTimeoutMs: 30_000, callsAtOnce: 10, maxReceiveCount: MAX_RECEIVE_COUNT },
      ...{ announcedLeaseSeconds: 3_600, maxBytesPerColumn: 10_000 },
    },
  };
  const writePorts: WritePorts = { ...shared, outcomes: database.outcomes };
  return {
    ...{
      ...shared,
      calls,
      database,
      twin: database.twin,
      provider,
      tokenizer,
      tally,
      results,
      dispatch,
      deadLetters,
    },
    ...{ detectPorts, embedPorts, writePorts, spaces: shared.spaces },
  };
}

/** Lets the server of a world's model be known as fast: calls need not wait for its first answer. */
export function knowAsFast({ twin }: Pick<World, 'twin'>): void {
  const pace = { textsPerCall: null, callsAtOnce: null, secondsPerToken: null };
  twin.paces.set('small', { pace, inFlight: new Map() });
}

export type World = ReturnType<typeof makeWorld>;
