// By their files: the package's index also loads what looks for an agent or an instance, with HTTP.
import { MetricsLogger } from 'aws-embedded-metrics/lib/logger/MetricsLogger.js';
import { Unit } from 'aws-embedded-metrics/lib/logger/Unit.js';
import { LogSerializer } from 'aws-embedded-metrics/lib/serializers/LogSerializer.js';
import { METRIC_NAMESPACE, METRICS, type MetricUnit } from '../core/metrics.ts';
import type { Metrics } from '../ports/process.ts';

interface EmfMetricsOptions {
  /** Takes one line of CloudWatch's embedded metric format, without the line end. */
  readonly write: (line: string) => void;
  readonly dimensions: { readonly stage: string; readonly component: string; readonly provider: string };
}

const UNITS: Readonly<Record<MetricUnit, Unit>> = {
  Count: Unit.Count,
  Milliseconds: Unit.Milliseconds,
  Seconds: Unit.Seconds,
  Percent: Unit.Percent,
  // CloudWatch has no unit for a currency.
  'US dollars': Unit.None,
};

/**
 * Creates metrics in CloudWatch's embedded metric format.
 * The library chooses its environment and its sink (standard output, an agent's socket) by itself
 * unless both are given. Both are given here, so that lines go only to `write`.
 */
export function createEmfMetrics(options: EmfMetricsOptions): Metrics {
  let gathered = 0;
  let logger = newLogger(options);
  return {
    count(name, value) {
      gathered += 1;
      logger.putMetric(name, value, UNITS[METRICS[name].unit]);
    },
    duration(name, ms) {
      gathered += 1;
      logger.putMetric(name, ms, Unit.Milliseconds);
    },
    property(name, value) {
      logger.setProperty(name, value);
    },
    async flush() {
      const full = logger;
      const empty = gathered === 0;
      logger = newLogger(options);
      gathered = 0;
      if (empty) return;
      try {
        await full.flush();
      } catch {
        // A metric that cannot be written must not fail the batch that it counts; the alarm on
        // missing data sees the gap.
      }
    },
  };
}

type Environment = Awaited<ReturnType<ConstructorParameters<typeof MetricsLogger>[0]>>;
type MetricsContext = Parameters<ReturnType<Environment['getSink']>['accept']>[0];

function newLogger({ write, dimensions }: EmfMetricsOptions): MetricsLogger {
  const sink = {
    name: 'lines',
    async accept(context: MetricsContext) {
      for (const line of new LogSerializer().serialize(context)) write(line);
    },
  };
  const environment: Environment = {
    probe: async () => true,
    getName: () => 'freshet',
    getType: () => 'freshet',
    getLogGroupName: () => '',
    configureContext: () => undefined,
    getSink: () => sink,
  };
  return new MetricsLogger(async () => environment)
    .setNamespace(METRIC_NAMESPACE)
    .setDimensions({ ...dimensions });
}
