import type { ResultObject } from '../../core/model/result-object.ts';
import { failureOfOutcome } from '../../core/report/failure-of-outcome.ts';
import type { WriteReport } from '../../ports/outcome-store.ts';
import type { WritePorts } from './write-ports.ts';

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
