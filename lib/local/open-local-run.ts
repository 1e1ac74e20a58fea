import { join } from 'node:path';
import { createHandler as createDetectHandler } from '../../functions/detect/handler.ts';
import { createHandler as createEmbedHandler } from '../../functions/embed/handler.ts';
import { createHandler as createWriteHandler } from '../../functions/write/handler.ts';
import { createEmfMetrics } from '../adapters/emf-metrics.ts';
import { createInProcessObjectStore, createInProcessQueue } from '../adapters/in-process.ts';
import { openTracer } from '../adapters/open-tracer.ts';
import { makePrivateFolder, PRIVATE_FILE_MODE } from '../adapters/private-files.ts';
import { createBatchStore } from '../adapters/sql/batch-store.ts';
import { createControlStore } from '../adapters/sql/control-store.ts';
import { createDetectionStore } from '../adapters/sql/detection-store.ts';
import { createEmbeddingStore } from '../adapters/sql/embedding-store.ts';
import { registryOf } from '../adapters/sql/open-spaces.ts';
import { createOutcomeStore } from '../adapters/sql/outcome-store.ts';
import { createPaceStore } from '../adapters/sql/pace-store.ts';
import { createJsonLogger, createSystemClock, createSystemRandomness } from '../adapters/system.ts';
import { createTokenizer } from '../adapters/tokenizer.ts';
import { listCaps } from '../core/budget.ts';
import { nameProviders } from '../core/config/pipeline-config.ts';
import { FreshetError } from '../core/errors.ts';
import { MAX_RECEIVE_COUNT, parseAnnounceMessage } from '../core/messages.ts';
import { LANES, type Space } from '../core/model.ts';
import { tickAllBatches } from '../pipeline/batch/tick-batches.ts';
import { DEFAULT_MAX_BYTES_PER_COLUMN, type EmbedPorts } from '../pipeline/embed/embed-ports.ts';
import { findPace, knownCallsAtOnce } from '../pipeline/embed/keep-pace.ts';
import type { Clock, Randomness } from '../ports/process.ts';
import type { DispatchQueues } from '../ports/queues.ts';
import { createBatchProviders, createLocalAccess, createProviders } from '../wiring/providers.ts';
import { OWN_FOLDER, type Workspace } from '../wiring/workspace.ts';
import { openLineFile } from './failure-log.ts';
import { rememberForRound } from './round-memory.ts';
import { keepRunBudget } from './run-budget.ts';
import { countDown, type LocalQueue, type LocalRunPorts } from './run-ports.ts';
import type { RunTally, RunTotals } from './run-tally.ts';
import { createRoomWait } from './workers.ts';

/** Bytes beyond which a log or metrics file is set aside when a run begins. */
const MAX_TRACE_BYTES = 32 * 1024 * 1024;
/**
 * Calls that an embed invocation is given time for.
 * An invocation may make a call, split it and make it again, and settle what it bought.
 */
const CALLS_PER_INVOCATION = 3;
/** Milliseconds of an invocation beside its calls. */
const SETTLE_MS = 30_000;
/**
 * Batches per message: five batches of the default size.
 * More rows at once cost the database no less per row.
 */
const CALLS_PER_MESSAGE = 5;

/**
 * Milliseconds that a run looks at batches at a time: what is left is taken up by the next look.
 */
const MOST_BATCH_LOOK_MS = 900_000;

/** The reason of the abort: without one, it makes an error with a stack for nobody. */
const GIVEN_UP = 'given up';

/** What a run is opened with, beside its workspace. */
interface LocalRunRequest {
  /** The spaces of the configuration, as `prepareDatabase` found them. */
  readonly spaces: readonly Space[];
  readonly tally: RunTally;
  readonly runId: number;
  readonly maxWaitMs: number;
  readonly maxItems: number | undefined;
  readonly maxUsd?: number | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: (totals: RunTotals) => void;
}

/**
 * Opens the three handlers with their real adapters, on queues of this process.
 * Result objects stay in this process too. `close` ends the log and metrics files, and sends the
 * last spans.
 */
export async function openLocalRun(
  workspace: Workspace,
  request: LocalRunRequest,
): Promise<{ readonly ports: LocalRunPorts; readonly close: () => Promise<void> }> {
  const { config, database, directory } = workspace;
  const { limits } = config;
  const folder = join(directory, OWN_FOLDER);
  await makePrivateFolder(folder);
  const traceFile = { maxBytes: MAX_TRACE_BYTES, mode: PRIVATE_FILE_MODE };
  const log = openLineFile(join(folder, 'log.jsonl'), traceFile);
  const metricsFile = openLineFile(join(folder, 'metrics.jsonl'), traceFile);
  const clock = createSystemClock();
  const randomness = createSystemRandomness();
  const providers = await createProviders(config, createLocalAccess(workspace.environment), clock);
  const objects = createInProcessObjectStore({ sealed: true });
  const invocationTimeoutMs = CALLS_PER_INVOCATION * limits.timeoutSeconds * 1000 + SETTLE_MS;
  const dispatchVisibilitySeconds = Math.ceil(invocationTimeoutMs / 1000) + 1;
  const queues = createLocalQueues({
    aliases: [...providers.keys()],
    dispatchVisibilitySeconds,
    clock,
    randomness,
    onWritten: key => objects.remove(key),
  });
  const findQueue = findAmong(queues.dispatch);
  const findProvider = (alias: string) => providers.get(alias)!;
  const provider = nameProviders(config);
  const portsOf = (component: string) => ({
    logger: createJsonLogger(log.write, clock, { component, runId: request.runId }),
    metrics: createEmfMetrics({
      write: metricsFile.write,
      dimensions: { stage: 'local', component, provider },
    }),
  });
  const caps = listCaps(config.budget);
  const store = createEmbeddingStore(database, caps);
  const { embedding, tally } =
    request.maxUsd === undefined
      ? { embedding: store, tally: request.tally }
      : keepRunBudget(store, request.tally, request.maxUsd);
  const outcomes = createOutcomeStore(database);
  const tracer = await openTracer(clock);
  const shared = {
    spaces: registryOf(request.spaces),
    control: createControlStore(database),
    clock,
    randomness,
    objects,
    runId: request.runId,
    observer: tally,
    tracer,
  };
  const looks = rememberForRound(createDetectionStore(database, { caps }), clock);
  const detect = createDetectHandler({
    ...shared,
    ...portsOf('detect'),
    detection: looks.detection,
    queues: findQueue,
    confirmsSends: false,
    reportsStaleness: false,
    limits: {
      batchSize: limits.batchSize,
      // Whoever asks for a pause between batches gets one batch per message.
      callsPerMessage: limits.pauseMs > 0 ? 1 : CALLS_PER_MESSAGE,
      maxInFlight: limits.maxInFlight,
      sliceRows: limits.sliceRows,
      queuedLeaseSeconds: dispatchVisibilitySeconds * MAX_RECEIVE_COUNT,
    },
  });
  const paced = { pace: createPaceStore(database), providers: findProvider, clock };
  for (const alias of providers.keys()) await findPace(paced, alias);
  const batchProviders = await createBatchProviders(config, createLocalAccess(workspace.environment), clock);
  let givenUp = new AbortController();
  const embedPorts: EmbedPorts = {
    ...shared,
    ...portsOf('embed'),
    ...paced,
    givenUp: () => givenUp.signal,
    embedding,
    tokenizer: createTokenizer(),
    results: queues.results,
    waitForRoom: createRoomWait(queues.results, limits.concurrency, clock),
    queues: findQueue,
    redelivers: false,
    limits: {
      batchSize: limits.batchSize,
      callTimeoutMs: limits.timeoutSeconds * 1000,
      callsAtOnce: limits.concurrency,
      maxReceiveCount: MAX_RECEIVE_COUNT,
      announcedLeaseSeconds: RESULTS_VISIBILITY_SECONDS * MAX_RECEIVE_COUNT + invocationTimeoutMs / 1000,
      maxBytesPerColumn: DEFAULT_MAX_BYTES_PER_COLUMN,
      maxCharacters: limits.maxCharacters,
    },
    batches: { store: createBatchStore(database), providers: alias => batchProviders.get(alias) },
  };
  const embed = createEmbedHandler(embedPorts);
  const lookAtBatches = async (flush: boolean) => {
    const remainingMs = countDown(clock, MOST_BATCH_LOOK_MS);
    return (await tickAllBatches(embedPorts, remainingMs, { flush })).freed;
  };
  const write = createWriteHandler({
    ...shared,
    ...portsOf('write'),
    outcomes,
  });
  const ports: LocalRunPorts = {
    ...shared,
    handlers: { detect, embed, write },
    beginRound: looks.beginRound,
    queues,
    tally,
    embedding,
    outcomes,
    lookAtBatches: batchProviders.size > 0 ? lookAtBatches : undefined,
    callsAtOnce: alias => knownCallsAtOnce(findProvider(alias)),
    limits: { ...limits, invocationTimeoutMs, maxWaitMs: request.maxWaitMs, maxItems: request.maxItems },
    signal: request.signal,
    giveUpCalls: () => {
      givenUp.abort(GIVEN_UP);
      // A run that watches makes calls again.
      givenUp = new AbortController();
    },
    onProgress: request.onProgress,
  };
  return {
    ports,
    close: async () => {
      await tracer?.flush();
      log.close();
      metricsFile.close();
    },
  };
}

/**
 * Seconds after which a result that a failed write left is taken up again.
 * The time is short, because writes are repeatable and run one at a time.
 */
const RESULTS_VISIBILITY_SECONDS = 15;

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
function createLocalQueues(options: LocalQueueOptions): LocalRunPorts['queues'] {
  const deadLetters: LocalQueue[] = [];
  const create = (visibilitySeconds: number): LocalQueue => {
    const { clock, randomness } = options;
    const base = { clock, randomness, visibilitySeconds: 30 };
    const deadLetter = createInProcessQueue({
      ...base,
      maxReceiveCount: Number.MAX_SAFE_INTEGER,
    });
    deadLetters.push(deadLetter);
    return createInProcessQueue({
      ...base,
      visibilitySeconds,
      maxReceiveCount: MAX_RECEIVE_COUNT,
      deadLetter,
    });
  };
  const dispatch = options.aliases.flatMap(modelAlias =>
    LANES.map(lane => ({
      modelAlias,
      lane,
      queue: create(options.dispatchVisibilitySeconds),
    })),
  );
  const results = forgetWritten(create(RESULTS_VISIBILITY_SECONDS), options.onWritten);
  return { dispatch, results, deadLetters };
}

/** Finds the queue of a model and lane. A space of an unconfigured model has none. */
function findAmong(dispatch: LocalRunPorts['queues']['dispatch']): DispatchQueues {
  return (alias, lane) => {
    const found = dispatch.find(queue => queue.modelAlias === alias && queue.lane === lane);
    if (found !== undefined) return found.queue;
    throw new FreshetError(`The configuration has no model ${alias}.`, {
      failureClass: 'stop',
      code: 'unknown_model',
    });
  };
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
