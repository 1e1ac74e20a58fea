import type { DurationName, MetricName } from '../core/metrics.ts';
import type { FailureClass, Outcome } from '../core/model.ts';
import type { LedgerEntry } from '../core/result-object.ts';
import type { WriteReport } from './outcome-store.ts';

/**
 * Time as the code below `lib/wiring` sees it.
 * No file below `lib/wiring` reads a clock or sets a timer itself, so that tests and the simulation
 * decide what time it is.
 */
export interface Clock {
  /**
   * Milliseconds since the epoch.
   * The value can step back. Use it for waiting and for reports, never to decide which of two
   * readings is newer.
   */
  now(): number;
  /** Resolves after `ms` milliseconds, or at once when the signal aborts. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Random numbers and identifiers. Tests give a source with a seed. */
export interface Randomness {
  /** A number from 0 up to but not including 1, uniformly distributed. */
  fraction(): number;
  /** A UUID. */
  identifier(): string;
}

/**
 * Writes structured lines: an event name in kebab-case, and bounded fields.
 * Fields hold ids, hashes, codes and lengths. They never hold text of a row or a provider's
 * message.
 */
export interface Logger {
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

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

/**
 * What a local run hears of its own steps while they work.
 * Calls are synchronous and never throw. The deployed pipeline has no observer.
 */
export interface RunObserver {
  /** A provider call ended, well or not. */
  called(entry: LedgerEntry): void;
  /** A result object reached the database. */
  written(report: WriteReport): void;
  /** An outcome that is a failure was announced. */
  rowFailed(row: { readonly source: string; readonly id: string; readonly outcome: Outcome }): void;
  /** Rows were given back. Looking for them again is worthwhile after `afterSeconds`. */
  postponed(rows: number, afterSeconds: number, reason: ObservedReason): void;
  /** A step stored a pause reason. The scope stands still until somebody mends the cause. */
  paused(scope: string, reason: ObservedReason): void;
  /** The server of a model cannot tell apart the vectors of more texts in a call. */
  callsLimited(modelAlias: string, textsPerCall: number): void;
  /** A message was not acknowledged. */
  recordFailed(reason: ObservedReason): void;
}

export interface ObservedReason {
  readonly failureClass: FailureClass;
  readonly code: string;
  /** A sentence for people, without text of a row or of a provider. */
  readonly message: string;
}

/** Where people read the alarms outside AWS. */
export interface Webhook {
  /**
   * Posts lines of plain text.
   * @throws FreshetError that holds neither the address nor what was answered.
   */
  post(text: string): Promise<void>;
}
