import type { DurationName, MetricName } from '../core/metrics/metric-names.ts';

/**
 * Gathers the numbers of one batch and writes them as one event.
 * The dimensions are stage, component and provider. Everything else is a property, because each
 * value of a dimension costs money.
 */
export interface Metrics {
  /** Adds a number, in the unit that `METRICS` names for the metric. */
  count(name: Exclude<MetricName, DurationName>, value: number): void;
  /** Adds a duration in milliseconds. */
  duration(name: DurationName, ms: number): void;
  /** Sets a property of the event, which is no dimension. */
  property(name: string, value: string | number): void;
  /** Writes what was gathered as one event and starts afresh. Never rejects. */
  flush(): Promise<void>;
}
