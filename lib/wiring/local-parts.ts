import { join } from 'node:path';
import { createHandler as createDetectHandler } from '../../functions/detect/handler.ts';
import { createHandler as createEmbedHandler } from '../../functions/embed/handler.ts';
import { createHandler as createWriteHandler } from '../../functions/write/handler.ts';
import { createEmfMetrics } from '../adapters/emf/emf-metrics.ts';
import { createInProcessObjectStore } from '../adapters/memory/in-process-object-store.ts';
import { createControlStore } from '../adapters/sql/control/sql-control-store.ts';
import { createDetectionStore } from '../adapters/sql/detection/sql-detection-store.ts';
import { createEmbeddingStore } from '../adapters/sql/embedding/sql-embedding-store.ts';
import { openSpaces } from '../adapters/sql/spaces/open-spaces.ts';
import { createOutcomeStore } from '../adapters/sql/writing/sql-outcome-store.ts';
import { createJsonLogger } from '../adapters/system/json-logger.ts';
import { createSystemClock } from '../adapters/system/system-clock.ts';
import { createSystemRandomness } from '../adapters/system/system-randomness.ts';
import { createTokenizer } from '../adapters/tokenizer/gpt-tokenizer.ts';
import { nameProviders } from '../core/config/name-providers.ts';
import { DEFAULT_MAX_BYTES_PER_COLUMN } from '../pipeline/embed/embed-ports.ts';
import type { LocalRunParts } from '../pipeline/local/local-run-parts.ts';
import { rememberForRound } from '../pipeline/local/remember-for-round.ts';
import { createRoomWait } from '../pipeline/local/results-room.ts';
import type { RunTally, RunTotals } from '../pipeline/local/run-tally.ts';
import type { DispatchQueues } from '../ports/dispatch-queues.ts';
import { createLocalAccess } from './create-local-access.ts';
import { createLocalQueues, LOCAL_MAX_RECEIVES, RESULTS_VISIBILITY_SECONDS } from './create-local-queues.ts';
import { createProviders } from './create-providers.ts';
import { openLineFile } from './open-line-file.ts';
import type { Workspace } from './open-workspace.ts';

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
): Promise<{ parts: LocalRunParts; close: () => void }> {
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
      queuedLeaseSeconds: dispatchVisibilitySeconds * LOCAL_MAX_RECEIVES,
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
      maxReceiveCount: LOCAL_MAX_RECEIVES,
      announcedLeaseSeconds: RESULTS_VISIBILITY_SECONDS * LOCAL_MAX_RECEIVES + invocationTimeoutMs / 1000,
      maxBytesPerColumn: DEFAULT_MAX_BYTES_PER_COLUMN,
      maxCharacters: limits.maxCharacters,
    },
  });
  const write = createWriteHandler({
    ...shared,
    ...portsOf('write'),
    outcomes: createOutcomeStore(database),
  });
  const parts: LocalRunParts = {
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
