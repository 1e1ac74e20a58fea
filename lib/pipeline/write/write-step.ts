import { DATABASE_PAUSE, PIPELINE_SCOPE } from '../../core/control.ts';
import { isSourceFault } from '../../core/errors.ts';
import type { AnnounceMessage } from '../../core/messages.ts';
import type { Space } from '../../core/model.ts';
import { failureOfOutcome } from '../../core/outcomes.ts';
import type { ResultObject } from '../../core/result-object.ts';
import { encodeVectorArray } from '../../core/vectors.ts';
import type { ControlStore } from '../../ports/control-store.ts';
import type { OutcomeStore, WriteReport } from '../../ports/outcome-store.ts';
import type { Logger, Metrics, RunObserver } from '../../ports/process.ts';
import type { SpanStart } from '../../ports/tracer.ts';
import { type LoadedResult, type LoadPorts, loadResult, removeWritten } from '../claim-check.ts';
import { retryTransient } from '../failures.ts';
import { pauseForDatabase, pauseSource } from '../pauses.ts';
import type { QueueRecord, RecordResult } from '../records.ts';
import { inSpans, type TracedPorts } from '../spans.ts';

export interface WritePorts extends LoadPorts, TracedPorts {
  readonly outcomes: OutcomeStore;
  readonly control: ControlStore;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly observer?: RunObserver | undefined;
}

export interface WriteStep {
  /** Writes one record. Rejects where the message must be delivered again. */
  writeOne(record: QueueRecord, remainingMs: () => number): Promise<RecordResult>;
  /**
   * Writes several records, and returns those that are done. Never rejects.
   * The others must be taken one by one.
   */
  writeTogether(records: readonly QueueRecord[], remainingMs: () => number): Promise<readonly QueueRecord[]>;
}

/**
 * Creates the write step, which pauses the whole pipeline when the database says stop.
 * The first write that succeeds again clears the pause. The message whose failure set the pause is
 * delivered again, so that its success clears the pause wherever the message runs. A new process
 * clears the pause with its first write. A dropped result shows nothing of the database: where no
 * write follows, the guard's probe clears the pause.
 */
export function createWriteStep(ports: WritePorts): WriteStep {
  let mayBePaused = true;
  const resume = async (written: readonly QueueRecord[]) => {
    if (written.length === 0) return;
    if (mayBePaused || written.some(({ receiveCount }) => receiveCount > 1)) {
      await ports.control.resume(PIPELINE_SCOPE, DATABASE_PAUSE);
    }
    mayBePaused = false;
  };
  return {
    async writeOne(record, remainingMs) {
      try {
        const end = await writeRecord(ports, record, remainingMs);
        if (end !== 'written') return 'done';
        await resume([record]);
        await removeWritten(ports, [record.body]);
        return 'done';
      } catch (error) {
        mayBePaused = true;
        await pauseForDatabase(ports, error);
        throw error;
      }
    },
    async writeTogether(records, remainingMs) {
      const done = await writeGroups(ports, records, remainingMs);
      try {
        await resume(done);
        await removeWritten(
          ports,
          done.map(({ body }) => body),
        );
        return done;
      } catch {
        // Written alone, the records are found to be written already, and clear the pause.
        return [];
      }
    },
  };
}

/**
 * What became of a result. In each case the message is done.
 * `repeated`: the result was written before, and its object is gone: nothing was written now.
 * `dropped`: the result was not stored, which says nothing of whether the database takes results.
 */
type ResultEnd = 'written' | 'repeated' | 'dropped';

/**
 * Writes one announced result to the outcome rows.
 * An object that is missing though its calls are in the ledger was written, and then removed. Any
 * other that is missing or corrupt is dropped with a reason, and its rows are dispatched again.
 * Rejects where the message must be delivered again.
 */
async function writeRecord(
  ports: WritePorts,
  record: QueueRecord,
  remainingMs: () => number,
): Promise<ResultEnd> {
  const { message, space, object, result } = await loadResult(ports, record.body, remainingMs);
  if (!space) return drop(ports, message, 'space-unknown-or-retired');
  if (object === 'missing' && (await wasWritten(ports, message))) {
    ports.metrics.count('RepeatedResults', 1);
    return 'repeated';
  }
  if (!result) {
    await ports.outcomes.expireLeases(space, message.dispatchId, message.ids);
    return drop(ports, message, `object-${object}`);
  }
  const startedMs = ports.clock.now();
  const write = () => retryTransient(ports, remainingMs, () => ports.outcomes.writeResult(space, result));
  const report = await inSpans(ports, [describeWrite(space, record, result)], write).catch(error =>
    keepLedger(ports, space, message, result, error),
  );
  if (report === undefined) return drop(ports, message, 'source-fault');
  emitWrite(ports, space, report, startedMs, [result]);
  return 'written';
}

/**
 * Keeps the ledger entries of a result whose source table is no longer what it was.
 * The rows are left to `detect`, and only their source pauses.
 * @throws any other failure.
 */
async function keepLedger(
  ports: WritePorts,
  space: Space,
  message: AnnounceMessage,
  result: ResultObject,
  error: unknown,
): Promise<undefined> {
  if (!isSourceFault(error)) throw error;
  await pauseSource(ports, space, error);
  const vectors = encodeVectorArray([], result.dimensions);
  await ports.outcomes.writeResult(space, { ...result, outcomes: [], copies: [], touches: [], vectors });
  await ports.outcomes.expireLeases(space, message.dispatchId, message.ids);
}

/** Describes the writing of a result, in the trace of the call that bought it. */
function describeWrite(
  { source, model, spaceId }: Space,
  { traceparent }: QueueRecord,
  { dispatchId, outcomes, copies, touches }: ResultObject,
): SpanStart {
  return {
    ...{ name: `write ${source.name}`, kind: 'consumer', parent: traceparent, links: [traceparent] },
    attributes: {
      ...{ 'freshet.source': source.name, 'freshet.model': model.alias, 'freshet.space.id': spaceId },
      'freshet.dispatch.id': dispatchId,
      'freshet.rows': outcomes.length + copies.length + touches.length,
    },
  };
}

async function wasWritten(ports: WritePorts, { calls }: AnnounceMessage): Promise<boolean> {
  return calls.length > 0 && ports.outcomes.areRecorded(calls);
}

function drop(ports: WritePorts, message: AnnounceMessage, cause: string): ResultEnd {
  ports.metrics.count('DroppedResults', 1);
  ports.logger.error('result-dropped', { spaceId: message.spaceId, rows: message.ids.length, cause });
  return 'dropped';
}

/**
 * Bytes of the vectors in one transaction.
 * Many more bytes cost the database more per row: 33 ms of CPU per 1,000 rows at 0.6 MB, 35 ms at 3
 * MB, 48 ms at 6 MB.
 */
const MAX_GROUP_BYTES = 2 * 1024 * 1024;

/** Fetches under way at once. Each fetch mostly waits for the store. */
const MAX_FETCHES = 4;

interface WriteGroup {
  readonly space: Space;
  readonly records: QueueRecord[];
  readonly results: ResultObject[];
  bytes: number;
}

/**
 * Writes the objects of several announcements in as few transactions as they fit.
 * Returns the records that are done. Never rejects. Some objects are left to be written alone: what
 * is not an ordinary, whole object, what comes twice, and every object of a transaction that
 * failed. Written alone, an object that cannot be written harms no other object.
 */
async function writeGroups(
  ports: WritePorts,
  records: readonly QueueRecord[],
  remainingMs: () => number,
): Promise<readonly QueueRecord[]> {
  const done: QueueRecord[] = [];
  for (const group of groupRecords(records, await loadAll(ports, records, remainingMs))) {
    const startedMs = ports.clock.now();
    try {
      const spans = group.records.map((record, place) =>
        describeWrite(group.space, record, group.results[place]!),
      );
      const report = await inSpans(ports, spans, () =>
        retryTransient(ports, remainingMs, () => ports.outcomes.writeResults(group.space, group.results)),
      );
      emitWrite(ports, group.space, report, startedMs, group.results);
      done.push(...group.records);
    } catch {
      // An object that cannot be written reports its fault when it is written alone.
    }
  }
  return done;
}

/**
 * Loads the results, in the order of their records.
 * Undefined where a message cannot be read or the store cannot be asked.
 */
async function loadAll(
  ports: WritePorts,
  records: readonly QueueRecord[],
  remainingMs: () => number,
): Promise<readonly (LoadedResult | undefined)[]> {
  const loaded = new Array<LoadedResult | undefined>(records.length);
  const remaining = records.entries();
  const work = async () => {
    for (const [position, record] of remaining)
      loaded[position] = await loadResult(ports, record.body, remainingMs).catch(() => undefined);
  };
  await Promise.all(Array.from({ length: Math.min(MAX_FETCHES, records.length) }, work));
  return loaded;
}

function groupRecords(
  records: readonly QueueRecord[],
  loaded: readonly (LoadedResult | undefined)[],
): readonly WriteGroup[] {
  const groups: WriteGroup[] = [];
  const keys = new Set<string>();
  for (const [position, record] of records.entries()) {
    const { space, result, message } = loaded[position] ?? {};
    if (!space || !result || !message || keys.has(message.key)) continue;
    const bytes = result.vectors.length;
    let group = groups.find(({ space: { spaceId } }) => spaceId === space.spaceId);
    if (!group || group.bytes + bytes > MAX_GROUP_BYTES) {
      group = { space, records: [], results: [], bytes: 0 };
      groups.unshift(group);
    }
    group.records.push(record);
    group.results.push(result);
    keys.add(message.key);
    group.bytes += bytes;
  }
  return groups;
}

/**
 * Emits what a transaction wrote, in the metrics and to the observer.
 * `results` is what the transaction was given. `startedMs` is when the transaction began, in
 * milliseconds since the epoch.
 */
function emitWrite(
  { clock, metrics, logger, observer }: WritePorts,
  space: Space,
  report: WriteReport,
  startedMs: number,
  results: readonly ResultObject[],
): void {
  metrics.duration('WriteLatency', Math.max(0, clock.now() - startedMs));
  metrics.count('EmbeddedRows', report.embedded);
  metrics.count('CopiedRows', report.copied);
  metrics.count('TouchedRows', report.touched);
  metrics.count('ExcludedRows', report.excluded);
  metrics.count('FailedRows', report.failed);
  metrics.count('OvertakenRows', report.overtaken);
  for (const row of report.refused ?? []) {
    logger.error('row-not-stored', { spaceId: space.spaceId, code: failureOfOutcome(row.outcome)?.code });
    observer?.rowFailed({ source: space.source.name, ...row });
  }
  if (report.repeated) metrics.count('RepeatedResults', 1);
  else emitFailures(metrics, report, results);
  observer?.written(report);
}

function emitFailures(
  metrics: WritePorts['metrics'],
  { refused = [] }: WriteReport,
  results: readonly ResultObject[],
): void {
  const outcomes = results.flatMap(result => result.outcomes.map(({ outcome }) => outcome));
  const classes = outcomes.map(outcome => failureOfOutcome(outcome)?.failureClass);
  metrics.count('RefusedRows', classes.filter(name => name === 'item').length);
  const undelivered = classes.filter(name => name === 'undelivered').length;
  metrics.count('UndeliveredRows', undelivered + refused.length);
  metrics.count('TooLongRows', outcomes.filter(outcome => outcome === 'too-long').length);
}
