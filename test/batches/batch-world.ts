import { createInProcessObjectStore, createInProcessQueue } from '../../lib/adapters/in-process.ts';
import { openNetwork } from '../../lib/adapters/network/open-network.ts';
import { createOpenAiBatches } from '../../lib/adapters/providers/openai-batches.ts';
import { createSystemClock } from '../../lib/adapters/system.ts';
import { FreshetError } from '../../lib/core/errors.ts';
import { parseDispatchMessage } from '../../lib/core/messages.ts';
import type { Lane, Space } from '../../lib/core/model.ts';
import { fingerprintText } from '../../lib/core/text.ts';
import { tickBatches } from '../../lib/pipeline/batch/tick-batches.ts';
import { detectStaleRows } from '../../lib/pipeline/detect/detect.ts';
import type { EmbedPorts } from '../../lib/pipeline/embed/embed-ports.ts';
import { embedRecord } from '../../lib/pipeline/embed/embed-record.ts';
import { createWriteStep } from '../../lib/pipeline/write/write-step.ts';
import type { BatchProvider, BatchStore } from '../../lib/ports/batches.ts';
import type { Tracer } from '../../lib/ports/tracer.ts';
import { type BatchFate, type RequestFate, startBatchService, tokensOf } from '../doubles/batch-service.ts';
import { createRecordingLogger } from '../doubles/recording-logger.ts';
import { createRecordingMetrics } from '../doubles/recording-metrics.ts';
import { createScriptedProvider } from '../doubles/scripted-provider.ts';
import { createSeededRandomness } from '../doubles/seeded-randomness.ts';
import { vectorForText } from '../doubles/vector-for-text.ts';
import { makeSpace } from '../factories/space.ts';
import { createCountingTokenizer } from '../factories/world.ts';
import { openTwin } from '../twin/open-twin.ts';
import { sourceOf, spaceOf } from '../twin/twin-database.ts';

export const USD_PER_MILLION = 1_000;
const DEADLINE_HOURS = 26;

/** The space of the histories: `bulk: 'batch'`, seven texts a batch, and as many tokens as two of them. */
export function makeBatchSpace(batch: object = { deadlineHours: DEADLINE_HOURS, maxTexts: 7 }): Space {
  return makeSpace({
    model: { bulk: 'batch', usdPerMillionTokens: USD_PER_MILLION, sendDimensions: true, batch },
  });
}

const OPEN = /^(validating|in_progress|finalizing|cancelling)$/;

class Killed extends Error {}

/**
 * Opens a pipeline whose bulk lane buys by batch, on the twin and on a batch service over HTTP.
 * `advance` is the only clock. `kill` lets the process die at that call of the lane's store or of
 * the batch service: before it or after it.
 */
export async function openBatchWorld(
  seed: number,
  fateOf: (batchNumber: number) => BatchFate,
  space = makeBatchSpace(),
  serviceOptions: {
    requestFate?: (kind: string) => RequestFate;
    listLag?: () => number;
    maxEnqueuedTokens?: number;
  } = {},
  tracer?: Tracer,
) {
  let nowMs = Date.UTC(2026, 0, 1);
  const clock = { now: () => nowMs, sleep: async () => undefined };
  const randomness = createSeededRandomness(seed);
  const logger = createRecordingLogger();
  const { twin, stores } = openTwin([space], {
    now: () => nowMs * 1000,
    newIdentifier: randomness.identifier,
    horizonMarginSeconds: 60,
  });
  const service = await startBatchService({ fateOf, ...serviceOptions });
  const network = openNetwork();
  const access = { key: async () => 'sk-test', baseUrl: service.baseUrl };
  const isReleased = (metadata: Readonly<Record<string, string>> | undefined) =>
    twin.batches.get(metadata?.freshet_batch ?? '')?.isReleased === true;
  const watchOverlap = () => {
    const open = service.batches.filter(({ status, metadata }) => OPEN.test(status) && !isReleased(metadata));
    const texts = open.flatMap(batch => batch.texts.map(({ text }) => text));
    for (const text of new Set(texts))
      if (texts.filter(each => each === text).length > 1) twice.push(`"${text}" is in two batches`);
  };
  const batches = createOpenAiBatches(space.model, access, network, createSystemClock());
  let freeze: { readonly reached: () => void; readonly thawed: Promise<void> } | undefined;
  const remote: BatchProvider = {
    ...batches,
    async upload(...upload) {
      const frozen = freeze;
      freeze = undefined;
      frozen?.reached();
      await frozen?.thawed;
      return batches.upload(...upload);
    },
  };
  let fuse = Number.POSITIVE_INFINITY;
  const burn = () => {
    fuse -= 1;
    if (fuse <= 0) throw new Killed();
  };
  const mortal = <Port extends object>(port: Port): Port =>
    new Proxy(port, {
      get: (target, name) => {
        const value = Reflect.get(target, name) as unknown;
        if (typeof value !== 'function' || name === 'readLines') return value;
        return async (...args: unknown[]) => {
          burn();
          const answer = await value.apply(target, args);
          burn();
          return answer;
        };
      },
    });
  const live = new Map<string, number>();
  const twice: string[] = [];
  const provider = createScriptedProvider(({ texts }) => {
    for (const text of texts) {
      const known = twin.batchTexts.get(`${space.spaceId}/${fingerprintText(text)}`);
      if (known?.state === 'ready') twice.push(`"${text}" was bought by call, and its vector was there`);
      if (known?.state === 'open' && !known.beside)
        twice.push(`"${text}" was bought by call while in a batch`);
      live.set(text, (live.get(text) ?? 0) + 1);
    }
    const items = texts.map((text, index) => ({ index, bytes: vectorForText(text, space.model.dimensions) }));
    return { items, tokens: texts.reduce((sum, text) => sum + tokensOf(text), 0), requestId: 'live' };
  });
  const makeQueue = () =>
    createInProcessQueue({ visibilitySeconds: 900, maxReceiveCount: 1_000, clock, randomness });
  const queues = { fresh: makeQueue(), bulk: makeQueue() };
  const results = makeQueue();
  const metrics = createRecordingMetrics();
  const shared = {
    spaces: {
      list: async () => stores.registry.list(),
      find: async (id: number) => stores.registry.find(id),
    },
    control: stores.control as unknown as EmbedPorts['control'],
    queues: (_alias: string, lane: Lane) => queues[lane],
    objects: createInProcessObjectStore(),
    ...{ clock, randomness, metrics, logger, runId: null, tracer },
  };
  const store = stores.batches as unknown as BatchStore;
  const ports: EmbedPorts = {
    ...shared,
    embedding: stores.embedding as unknown as EmbedPorts['embedding'],
    pace: stores.pace as unknown as EmbedPorts['pace'],
    providers: () => provider,
    tokenizer: createCountingTokenizer(),
    results,
    batches: { store: mortal(store), providers: () => mortal(remote) as BatchProvider },
    limits: {
      ...{ batchSize: 5, callTimeoutMs: 30_000, callsAtOnce: 10, maxReceiveCount: 1_000 },
      ...{ announcedLeaseSeconds: 3_600, maxBytesPerColumn: 10_000 },
    },
  };
  const remainingMs = () => 900_000;
  const surviving = async <Value>(work: () => Promise<Value>): Promise<Value | undefined> => {
    try {
      return await work();
    } catch (error) {
      const isKill = error instanceof Killed;
      const isConverted = error instanceof FreshetError && fuse <= 0;
      if (!isKill && !isConverted) throw error;
      return undefined;
    } finally {
      fuse = Number.POSITIVE_INFINITY;
    }
  };
  const write = createWriteStep({ ...shared, outcomes: stores.outcomes as never });
  const rows = sourceOf(twin, space).rows;
  const world = {
    ...{ space, twin, stores, service, live, twice, ports, metrics, logger, randomness },
    advance(ms: number) {
      nowMs += ms;
    },
    /** Inserts or edits a row; `agedMs` puts its version into the past, as of a row that was there before. */
    put(id: string, text: string, agedMs = 0) {
      rows.set(id, { id, text, version: (nowMs - agedMs) * 1000, xid: (rows.get(id)?.xid ?? 0) + 1 });
    },
    async detect(pass: 'incremental' | 'reconcile') {
      const detection = stores.detection as never;
      const limits = { batchSize: 5, maxInFlight: 10_000, sliceRows: 1_000, queuedLeaseSeconds: 3_600 };
      await detectStaleRows({ ...shared, detection, limits }, { pass }, remainingMs);
    },
    async embed() {
      for (const lane of ['fresh', 'bulk'] as const) {
        for (const message of await queues[lane].receive(10)) {
          const done = await surviving(() => embedRecord(ports, message, remainingMs));
          if (done === 'done') await queues[lane].delete(message.receiptHandle);
        }
      }
    },
    async write() {
      for (const message of await results.receive(10)) {
        const done = await write.writeOne(message, remainingMs);
        if (done === 'done') await results.delete(message.receiptHandle);
      }
    },
    async tick(flush = false) {
      const end = await surviving(() => tickBatches(ports, space.model.alias, remainingMs, { flush }));
      watchOverlap();
      return end;
    },
    /** A tick whose process is frozen before it uploads, if it does: what is returned thaws it. */
    async freezeTick() {
      const reached = Promise.withResolvers<void>();
      const thawed = Promise.withResolvers<void>();
      freeze = { reached: reached.resolve, thawed: thawed.promise };
      const end = surviving(() => tickBatches(ports, space.model.alias, remainingMs, { flush: true }));
      await Promise.race([reached.promise, end]);
      freeze = undefined;
      return async () => {
        thawed.resolve();
        await end;
        watchOverlap();
      };
    },
    killAfter(calls: number) {
      fuse = calls;
    },
    /** What is dispatched now, embedded and written. */
    async work() {
      await world.detect('reconcile');
      await world.detect('incremental');
      await world.embed();
      await world.write();
    },
    staleRows: () =>
      [...rows.values()].filter(({ id, version, xid }) => {
        const outcome = spaceOf(twin, space).outcomes.get(id);
        return outcome?.version !== version || outcome.xid !== xid;
      }),
    queued: async () => {
      const bodies = [...queues.fresh.remainingBodies(), ...queues.bulk.remainingBodies()];
      return bodies.map(parseDispatchMessage).flatMap(({ ids }) => ids);
    },
    async close() {
      await network.close();
      await service.close();
    },
  };
  return world;
}

export type BatchWorld = Awaited<ReturnType<typeof openBatchWorld>>;
