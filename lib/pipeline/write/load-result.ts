import { type AnnounceMessage, parseAnnounceMessage } from '../../core/messages.ts';
import type { Space } from '../../core/model.ts';
import { failureOfOutcome } from '../../core/outcomes.ts';
import { decodeResult } from '../../core/result-codec.ts';
import type { ResultObject } from '../../core/result-object.ts';
import type { ControlStore, SpaceRegistry } from '../../ports/control-store.ts';
import type { OutcomeStore, WriteReport } from '../../ports/outcome-store.ts';
import type { Clock, Logger, Metrics, Randomness, RunObserver } from '../../ports/process.ts';
import type { ObjectStore } from '../../ports/queues.ts';
import { retryTransient } from '../failures.ts';
import { proveObject, type QueueRecord } from '../records.ts';

export interface LoadedResult {
  readonly message: AnnounceMessage;
  /** Undefined: the space is unknown or retired, and nothing was loaded. */
  readonly space: Space | undefined;
  /** Undefined where the object is missing, or is not the announced object, whole. */
  readonly result: ResultObject | undefined;
  readonly object: 'whole' | 'missing' | 'corrupt';
}

/**
 * Loads the object that an announcement names.
 * @throws FreshetError for a message that cannot be read, and where registry or store do not
 * answer.
 */
export async function loadResult(
  ports: WritePorts,
  record: QueueRecord,
  remainingMs: () => number,
): Promise<LoadedResult> {
  const message = parseAnnounceMessage(record.body);
  const space = await ports.spaces.find(message.spaceId);
  if (!space) return { message, space, result: undefined, object: 'missing' };
  const body = await retryTransient(ports, remainingMs, () => ports.objects.get(message.key));
  if (!body) return { message, space, result: undefined, object: 'missing' };
  const result = readResult(ports, message, body);
  return { message, space, result, object: result ? 'whole' : 'corrupt' };
}

function readResult(
  { objects }: WritePorts,
  message: AnnounceMessage,
  body: Buffer,
): ResultObject | undefined {
  if (proveObject(objects, body) !== message.sha256) return undefined;
  try {
    const result = decodeResult(body);
    const same = result.spaceId === message.spaceId && result.dispatchId === message.dispatchId;
    return same ? result : undefined;
  } catch {
    return undefined;
  }
}

export interface WritePorts {
  readonly spaces: SpaceRegistry;
  readonly outcomes: OutcomeStore;
  readonly objects: ObjectStore;
  readonly control: ControlStore;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly observer?: RunObserver | undefined;
}

/**
 * Tells what a transaction wrote. `results` is what the transaction was given.
 * `startedMs` is when the transaction began, in milliseconds since the epoch.
 */
export function measureWrite(
  { clock, metrics, observer }: WritePorts,
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
  if (report.repeated) metrics.count('RepeatedResults', 1);
  else measureClasses(metrics, results);
  observer?.written(report);
}

function measureClasses(metrics: WritePorts['metrics'], results: readonly ResultObject[]): void {
  const outcomes = results.flatMap(result => result.outcomes.map(({ outcome }) => outcome));
  const classes = outcomes.map(outcome => failureOfOutcome(outcome)?.failureClass);
  metrics.count('RefusedRows', classes.filter(name => name === 'item').length);
  metrics.count('UndeliveredRows', classes.filter(name => name === 'undelivered').length);
  metrics.count('TooLongRows', outcomes.filter(outcome => outcome === 'too-long').length);
}
