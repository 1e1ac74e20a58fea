import { closeSync, mkdirSync, openSync, renameSync, statSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createHandler as createDetectHandler } from '../../functions/detect/handler.ts';
import { createHandler as createEmbedHandler } from '../../functions/embed/handler.ts';
import { createHandler as createWriteHandler } from '../../functions/write/handler.ts';
import { createEmfMetrics } from '../adapters/emf-metrics.ts';
import { createInProcessObjectStore } from '../adapters/memory/in-process-object-store.ts';
import { createInProcessQueue } from '../adapters/memory/in-process-queue.ts';
import { createControlStore } from '../adapters/sql/control-store.ts';
import { createDetectionStore } from '../adapters/sql/detection-store.ts';
import { createEmbeddingStore } from '../adapters/sql/embedding-store.ts';
import { openSpaces } from '../adapters/sql/open-spaces.ts';
import { createOutcomeStore } from '../adapters/sql/outcome-store.ts';
import { createJsonLogger, createSystemClock, createSystemRandomness } from '../adapters/system.ts';
import { createTokenizer } from '../adapters/tokenizer.ts';
import { nameProviders } from '../core/config/pipeline-config.ts';
import { UsageError } from '../core/errors.ts';
import { MAX_RECEIVE_COUNT, parseAnnounceMessage } from '../core/messages.ts';
import { LANES, type Outcome } from '../core/model.ts';
import { failureOfOutcome } from '../core/outcomes.ts';
import { MAX_ATTEMPTS } from '../core/packing.ts';
import { DEFAULT_MAX_BYTES_PER_COLUMN } from '../pipeline/embed/embed-ports.ts';
import type { Clock, Randomness } from '../ports/process.ts';
import type { DispatchQueues } from '../ports/queues.ts';
import { createLocalAccess, createProviders } from '../wiring/providers.ts';
import type { Workspace } from '../wiring/workspace.ts';
import { rememberForRound } from './look-ahead.ts';
import type { LocalQueue, LocalRunPorts } from './run-parts.ts';
import type { RunTally, RunTotals } from './run-tally.ts';
import { createRoomWait } from './workers.ts';

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
      maxReceiveCount: MAX_RECEIVE_COUNT,
      deadLetter,
    });
  };
  const dispatch = options.aliases.flatMap(modelAlias =>
    LANES.map(lane => ({
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

export interface LineFile {
  write(line: string): void;
  close(): void;
}

/**
 * Opens a file to which lines are appended.
 * What is written survives a kill of the process. At opening, a file of over `maxBytes` becomes
 * `<file>.1`.
 * @throws UsageError when the file cannot be written.
 */
function openLineFile(file: string, maxBytes = Number.POSITIVE_INFINITY): LineFile {
  try {
    mkdirSync(dirname(file), { recursive: true });
    if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > maxBytes) renameSync(file, `${file}.1`);
    const descriptor = openSync(file, 'a');
    return {
      write: line => void writeSync(descriptor, `${line}\n`),
      close: () => closeSync(descriptor),
    };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    throw new UsageError(
      `${file} cannot be written (${code}).`,
      'Check that its folder exists and may be written to.',
    );
  }
}

/** Bytes beyond which a log or metrics file is set aside when a run begins. */
const MAX_TRACE_BYTES = 32 * 1024 * 1024;
/**
 * Calls that an embed invocation is given time for.
 * An invocation may make a call, split it and make it again, and settle what it bought.
 */
const CALLS_PER_INVOCATION = 3;
const SETTLE_MS = 30_000;
/**
 * Batches per message: five batches of the default size.
 * More rows at once cost the database no less per row.
 */
const CALLS_PER_MESSAGE = 5;

interface LocalRunRequest {
  readonly tally: RunTally;
  readonly runId: number;
  readonly maxWaitMs: number;
  readonly maxItems: number | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: (totals: RunTotals) => void;
}

/**
 * Opens the three handlers with their real adapters, on queues of this process.
 * Result objects stay in this process too. `close` ends the log and metrics files.
 */
export async function openLocalParts(
  workspace: Workspace,
  request: LocalRunRequest,
): Promise<{ parts: LocalRunPorts; close: () => void }> {
  const { config, database, directory } = workspace;
  const { limits } = config;
  const log = openLineFile(join(directory, '.freshet/log.jsonl'), MAX_TRACE_BYTES);
  const metricsFile = openLineFile(join(directory, '.freshet/metrics.jsonl'), MAX_TRACE_BYTES);
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
  const findQueue: DispatchQueues = (alias, lane) =>
    queues.dispatch.find(queue => queue.modelAlias === alias && queue.lane === lane)!.queue;
  const provider = nameProviders(config);
  const portsOf = (component: string) => ({
    logger: createJsonLogger(log.write, clock, { component, runId: request.runId }),
    metrics: createEmfMetrics({
      write: metricsFile.write,
      dimensions: { stage: 'local', component, provider },
    }),
  });
  const embedding = createEmbeddingStore(database);
  const outcomes = createOutcomeStore(database);
  const shared = {
    spaces: await openSpaces(database, config),
    control: createControlStore(database),
    clock,
    randomness,
    objects,
    runId: request.runId,
    observer: request.tally,
  };
  const looks = rememberForRound(createDetectionStore(database), clock);
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
  const embed = createEmbedHandler({
    ...shared,
    ...portsOf('embed'),
    embedding,
    providers: alias => providers.get(alias)!,
    tokenizer: createTokenizer(),
    results: queues.results,
    waitForRoom: createRoomWait(queues.results, limits.concurrency, clock),
    queues: findQueue,
    redelivers: false,
    limits: {
      batchSize: limits.batchSize,
      callTimeoutMs: limits.timeoutSeconds * 1000,
      maxReceiveCount: MAX_RECEIVE_COUNT,
      announcedLeaseSeconds: RESULTS_VISIBILITY_SECONDS * MAX_RECEIVE_COUNT + invocationTimeoutMs / 1000,
      maxBytesPerColumn: DEFAULT_MAX_BYTES_PER_COLUMN,
      maxCharacters: limits.maxCharacters,
    },
  });
  const write = createWriteHandler({
    ...shared,
    ...portsOf('write'),
    outcomes: createOutcomeStore(database),
  });
  const parts: LocalRunPorts = {
    ...shared,
    handlers: { detect, embed, write },
    beginRound: looks.beginRound,
    queues,
    tally: request.tally,
    embedding,
    outcomes,
    limits: { ...limits, invocationTimeoutMs, maxWaitMs: request.maxWaitMs, maxItems: request.maxItems },
    signal: request.signal,
    onProgress: request.onProgress,
  };
  return {
    parts,
    close: () => {
      log.close();
      metricsFile.close();
    },
  };
}

/**
 * Opens the failure log before the work begins, and closes it after the work.
 * A wrong file name thereby costs nothing.
 * @throws UsageError when the file cannot be written.
 */
export async function withFailureLog<Result>(
  file: string | undefined,
  use: (log: LineFile | undefined) => Promise<Result>,
): Promise<Result> {
  const log = file === undefined ? undefined : openLineFile(file);
  try {
    return await use(log);
  } finally {
    log?.close();
  }
}

/**
 * Composes a line of the failure log: ids and codes, no text.
 * Class and code are those that `failures` prints.
 */
export function describeFailedRow(
  row: { readonly source: string; readonly id: string; readonly outcome: Outcome },
  nowMs: number,
): string {
  const failure = failureOfOutcome(row.outcome);
  return JSON.stringify({
    time: new Date(nowMs).toISOString(),
    source: row.source,
    id: row.id,
    class: failure?.failureClass,
    code: failure?.code,
    attempts: row.outcome === 'undelivered' ? MAX_ATTEMPTS : 1,
  });
}
