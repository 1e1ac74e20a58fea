import { randomUUID } from 'node:crypto';
import { createHandler as createDetect } from '../../functions/detect/handler.ts';
import { createHandler as createEmbed } from '../../functions/embed/handler.ts';
import { createHandler as createOperate } from '../../functions/operate/handler.ts';
import { createHandler as createWrite } from '../../functions/write/handler.ts';
import { createInProcessObjectStore } from '../../lib/adapters/in-process.ts';
import { createControlStore } from '../../lib/adapters/sql/control-store.ts';
import { createRedriveStore } from '../../lib/adapters/sql/redrive-store.ts';
import { createReportStore } from '../../lib/adapters/sql/report-store.ts';
import { createResetStore } from '../../lib/adapters/sql/reset-store.ts';
import { type createSqsClient, createSqsQueue } from '../../lib/adapters/sqs/sqs-queue.ts';
import type { OperatePorts } from '../../lib/pipeline/operate/operate-ports.ts';
import type { OperateReply, RedriveRequest } from '../../lib/ports/operator.ts';
import type { ReceivingQueue } from '../../lib/ports/queues.ts';
import type { OpenedSpace } from '../database/open-space.ts';
import { createRecordingLogger } from '../doubles/recording-logger.ts';
import { createRecordingMetrics } from '../doubles/recording-metrics.ts';
import { createScriptedProvider } from '../doubles/scripted-provider.ts';
import { createSeededRandomness } from '../doubles/seeded-randomness.ts';
import { createVirtualClock } from '../doubles/virtual-clock.ts';
import { makeContext, makeSqsEvent } from '../factories/lambda-event.ts';
import { createCountingTokenizer } from '../factories/world.ts';
import type { startFauxqs } from '../servers/start-fauxqs.ts';

const LIMITS = { batchSize: 100, maxInFlight: 10_000, sliceRows: 1_000, queuedLeaseSeconds: 3_600 };

export type DeadLetters = ReturnType<typeof openDeadLetters>;

/** Opens a deployed pipeline's functions on a real database and an SQS server's queues. */
export function openDeadLetters(
  fauxqs: Awaited<ReturnType<typeof startFauxqs>>,
  client: ReturnType<typeof createSqsClient>,
  opened: OpenedSpace,
) {
  const { db, space } = opened;
  const openQueue = () =>
    createSqsQueue({ client, queueUrl: fauxqs.server.createQueue(randomUUID()).queueUrl });
  const openPair = () => ({ queue: openQueue(), dead: openQueue() });
  const pairs = { fresh: openPair(), bulk: openPair(), results: openPair() };
  const provider = createScriptedProvider();
  const logger = createRecordingLogger();
  const shared = {
    spaces: {
      list: async () => [space],
      find: async (id: number) => (id === space.spaceId ? space : undefined),
    },
    control: createControlStore(db),
    clock: createVirtualClock(),
    randomness: { ...createSeededRandomness(), identifier: () => randomUUID() },
    metrics: createRecordingMetrics(),
    objects: createInProcessObjectStore(),
    queues: (_alias: string, lane: 'fresh' | 'bulk') => pairs[lane].queue,
    runId: null,
    logger,
  };
  const ports: OperatePorts = {
    ...shared,
    reports: createReportStore(db),
    resets: createResetStore(db),
    quoteReset: () => Promise.reject(new Error('No dead letter asks for a quote.')),
    detection: opened.detection,
    redrive: {
      ...shared,
      stale: createRedriveStore(db),
      detection: opened.detection,
      embedding: opened.embedding,
      results: pairs.results.queue,
      deadLetters: async source => (source === 'results' ? pairs.results.dead : pairs[source.lane].dead),
      limits: LIMITS,
    },
  };
  const detect = createDetect({
    ...shared,
    detection: opened.detection,
    limits: { ...LIMITS, batchSize: 1 },
  });
  const embed = createEmbed({
    ...shared,
    embedding: opened.embedding,
    pace: opened.pace,
    providers: () => provider,
    tokenizer: createCountingTokenizer(),
    results: pairs.results.queue,
    limits: {
      ...{ batchSize: 100, callTimeoutMs: 30_000, callsAtOnce: 10, maxReceiveCount: 5 },
      ...{ announcedLeaseSeconds: 3_600, maxBytesPerColumn: 10_000 },
    },
  });
  const write = createWrite({ ...shared, outcomes: opened.outcomes });
  return {
    ports,
    pairs,
    provider,
    logger,
    control: shared.control,
    /** Makes one dead letter of each stale row, and resolves with their count. */
    letDie: async () => {
      await detect({ pass: 'reconcile' }, makeContext());
      await bury(pairs.bulk);
      return (await pairs.bulk.dead.depth()).visible;
    },
    bury,
    ask: async (
      request: { readonly request: 'redrive' } & RedriveRequest,
      on: OperatePorts = ports,
    ): Promise<OperateReply> =>
      createOperate(on)(
        request,
        makeContext(() => 900_000),
      ),
    embedOnly: async () =>
      drain(pairs.bulk.queue, async bodies => embed(makeSqsEvent(bodies), makeContext())),
    /** Embeds and writes what waits in the queues; resolves with the texts bought. */
    work: async (): Promise<string[]> => {
      const before = provider.requests.length;
      for (const { queue } of [pairs.fresh, pairs.bulk])
        await drain(queue, async bodies => embed(makeSqsEvent(bodies), makeContext()));
      await drain(pairs.results.queue, async bodies => write(makeSqsEvent(bodies), makeContext()));
      return provider.requests.slice(before).flatMap(({ texts }) => texts);
    },
  };
}

/** Makes dead letters of all messages that wait in a queue. */
function bury({ queue, dead }: { queue: ReceivingQueue; dead: ReceivingQueue }): Promise<void> {
  return drain(queue, async bodies => {
    await dead.send(bodies.map(body => ({ body })));
  });
}

async function drain(queue: ReceivingQueue, work: (bodies: string[]) => Promise<unknown>): Promise<void> {
  for (;;) {
    const received = await queue.receive(10);
    if (received.length === 0) return;
    await work(received.map(({ body }) => body));
    for (const { receiptHandle } of received) await queue.delete(receiptHandle);
  }
}
