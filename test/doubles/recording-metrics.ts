import type { Metrics } from '../../lib/ports/process.ts';

export interface RecordingMetrics extends Metrics {
  readonly sums: Map<string, number>;
  flushes: number;
}

export function createRecordingMetrics(): RecordingMetrics {
  const sums = new Map<string, number>();
  const add = (name: string, value: number) => {
    sums.set(name, (sums.get(name) ?? 0) + value);
  };
  const metrics: RecordingMetrics = {
    sums,
    flushes: 0,
    count: add,
    duration: add,
    property() {},
    async flush() {
      metrics.flushes += 1;
    },
  };
  return metrics;
}
