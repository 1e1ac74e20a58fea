import type { DurationName, MetricName } from '../core/metrics/metric-names.ts';

/** One event per batch. Dimensions are stage, component and provider; everything else is a property, because each dimension value costs money. */
export interface Metrics {
  /** A number in the unit that `METRICS` names. */
  count(name: Exclude<MetricName, DurationName>, value: number): void;
  duration(name: DurationName, ms: number): void;
  property(name: string, value: string | number): void;
  /** Writes what was gathered as one event and starts afresh. Never rejects. */
  flush(): Promise<void>;
}
