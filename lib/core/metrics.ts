export type MetricUnit = 'Count' | 'Milliseconds' | 'Seconds' | 'Percent' | 'US dollars';

/** The values of the dimension `component`. */
export type MetricComponent = 'detect' | 'embed' | 'write' | 'guard' | 'api';

interface MetricDefinition {
  readonly unit: MetricUnit;
  /** The components that emit the metric. Each of them is a series of its own and is billed. */
  readonly from: readonly MetricComponent[];
  /**
   * True: a sample tells how things stand, and is taken as often as somebody looks.
   * Its samples must not be added up: two looks would count the same rows twice.
   */
  readonly isState?: true;
  readonly meaning: string;
}

const CALLERS = ['embed', 'guard'] as const;
/** Whoever calls a provider, for rows or for clients. */
const PAYERS = [...CALLERS, 'api'] as const;
const EVERYBODY = ['detect', 'embed', 'write', 'guard', 'api'] as const;

/**
 * Every metric of the namespace Freshet.
 * A tick emits a state (stale rows, ages, pauses) even when it is 0, so that an alarm sees it end.
 * A state of a space is one sample per space. Counts of events are missing where no event happened.
 */
export const METRICS = {
  StaleRows: {
    unit: 'Count',
    from: ['detect'],
    isState: true,
    meaning:
      'edited rows that are not embedded yet, as the look of a tick counts them; those without a ' +
      'lease up to 100,000; a sample per space and tick',
  },
  OldestStaleRowAgeSeconds: {
    unit: 'Seconds',
    from: ['detect'],
    isState: true,
    meaning:
      'how long the oldest of them has waited, at the longest: since it was found, or since a look or ' +
      'a pause last began to leave edits',
  },
  BulkRows: {
    unit: 'Count',
    from: ['detect'],
    isState: true,
    meaning:
      'rows of a walk over all keys (backfill, repair) that are on their way; a sample per space and tick',
  },
  OldestBulkRowAgeSeconds: {
    unit: 'Seconds',
    from: ['detect'],
    isState: true,
    meaning: 'how long the oldest of those has been on its way',
  },
  CoveragePercent: {
    unit: 'Percent',
    from: ['detect'],
    isState: true,
    meaning:
      'rows with a vector of their latest version, of those that can have one; counted at the end of ' +
      'a walk over all keys',
  },
  DetectedRows: { unit: 'Count', from: ['detect'], meaning: 'rows that were found stale and leased' },
  SentRows: { unit: 'Count', from: ['detect'], meaning: 'detected rows whose message a queue accepted' },
  OrphansDeleted: {
    unit: 'Count',
    from: ['detect'],
    meaning: 'vectors deleted because their row has been gone for an hour and a walk',
  },
  OrphanRemovalStopped: {
    unit: 'Count',
    from: ['detect'],
    isState: true,
    meaning:
      '1 where too many rows of a slice are missing at once, or row security may hide them; 0 where ' +
      'none are in doubt',
  },
  SourceFaults: {
    unit: 'Count',
    from: ['detect', 'embed', 'write'],
    meaning: 'a source table is no longer what it was: looks, batches and results that met it so',
  },
  SpaceFailures: { unit: 'Count', from: ['detect'], meaning: 'spaces whose look failed on a statement' },
  OverlappedTicks: {
    unit: 'Count',
    from: ['detect'],
    meaning: 'ticks that ended at once because one of their kind was at work',
  },
  Records: { unit: 'Count', from: ['embed', 'write'], meaning: 'messages received' },
  FailedRecords: {
    unit: 'Count',
    from: ['embed', 'write'],
    meaning: 'messages given back because their work failed',
  },
  DroppedMessages: {
    unit: 'Count',
    from: ['embed'],
    meaning: 'messages of a space that is unknown or retired',
  },
  ProviderCalls: { unit: 'Count', from: PAYERS, meaning: 'calls of a provider, whatever came of them' },
  TextsSent: {
    unit: 'Count',
    from: PAYERS,
    meaning: 'texts of a call: a sample per call, so that its average is the batch size',
  },
  Tokens: { unit: 'Count', from: PAYERS, meaning: 'tokens as the provider counted them, else estimated' },
  CostUsd: { unit: 'US dollars', from: PAYERS, meaning: 'tokens at the price of the model' },
  ProviderLatency: { unit: 'Milliseconds', from: PAYERS, meaning: 'from the start of a call to its answer' },
  ProviderFailures: {
    unit: 'Count',
    from: PAYERS,
    meaning: 'calls that gave no usable vectors, throttled ones among them',
  },
  ProviderThrottles: { unit: 'Count', from: PAYERS, meaning: 'calls that the provider asked to come later' },
  RefusedGrants: {
    unit: 'Count',
    from: CALLERS,
    meaning: 'calls not made because of a pause that began after their message was taken',
  },
  UnfamiliarModelNames: {
    unit: 'Count',
    from: CALLERS,
    meaning: 'answers that name a model which is not known as the one asked for',
  },
  BatchesSubmitted: { unit: 'Count', from: ['embed'], meaning: 'batches that a provider took' },
  BatchTexts: { unit: 'Count', from: ['embed'], meaning: 'texts whose vectors came by batch, at its price' },
  BatchTextsLeft: {
    unit: 'Count',
    from: ['embed'],
    meaning: 'texts that no batch embedded in time or at all, and that calls buy at full price',
  },
  BatchFailures: {
    unit: 'Count',
    from: ['embed'],
    meaning: 'requests of a batch service that failed; each is made again by a later look',
  },
  TextsBoughtBesideBatch: {
    unit: 'Count',
    from: ['embed'],
    meaning: 'texts of edits that were bought by call while they stood in a batch: bought twice',
  },
  RetryWait: {
    unit: 'Milliseconds',
    from: ['embed'],
    meaning: 'waits before a repeated call, paid as time of the function',
  },
  PostponedRows: {
    unit: 'Count',
    from: ['embed'],
    meaning: 'rows that wait in the queue for a provider or the end of a pause',
  },
  RefusedTexts: { unit: 'Count', from: ['embed'], meaning: 'texts that the provider refused for good' },
  UndeliveredTexts: {
    unit: 'Count',
    from: ['embed'],
    meaning: 'texts that an outage left without a vector, where `onOutage` is `dead-letter`',
  },
  ModelPauses: { unit: 'Count', from: ['embed'], meaning: 'a provider said stop: key, quota, model' },
  UnknownFailures: {
    unit: 'Count',
    from: ['embed'],
    meaning: 'failures that no rule knows; their messages come again',
  },
  WriteLatency: {
    unit: 'Milliseconds',
    from: ['write'],
    meaning: 'one transaction, of one result or of several, with its retries',
  },
  EmbeddedRows: { unit: 'Count', from: ['write'], meaning: 'rows written with a bought vector' },
  CopiedRows: { unit: 'Count', from: ['write'], meaning: 'rows that got the vector of an equal text' },
  TouchedRows: {
    unit: 'Count',
    from: ['write'],
    meaning: 'rows whose text had not changed: nothing was bought',
  },
  ExcludedRows: {
    unit: 'Count',
    from: ['write'],
    meaning: 'rows written without a vector, as configured: empty or too long',
  },
  FailedRows: {
    unit: 'Count',
    from: ['write'],
    meaning: 'rows written as failed; `freshet aws failures` lists them',
  },
  RefusedRows: { unit: 'Count', from: ['write'], meaning: 'failed rows of class refused, as announced' },
  UndeliveredRows: {
    unit: 'Count',
    from: ['write'],
    meaning: 'failed rows of class undelivered (five attempts, or a recorded outage), as announced',
  },
  TooLongRows: {
    unit: 'Count',
    from: ['write'],
    meaning: 'excluded rows over the limit of the model, as announced',
  },
  OvertakenRows: {
    unit: 'Count',
    from: ['write'],
    meaning:
      'entries that the guard rejected: a newer reading, a deletion or a vanished hash was there first',
  },
  RepeatedResults: {
    unit: 'Count',
    from: ['write'],
    meaning: 'results that had been written before: nothing changed',
  },
  DroppedResults: {
    unit: 'Count',
    from: ['write'],
    meaning: 'results whose object was missing or corrupt; their rows are sent again',
  },
  Probes: { unit: 'Count', from: ['guard'], meaning: 'looks whether what stopped works again' },
  CapPercent: {
    unit: 'Percent',
    from: ['detect'],
    isState: true,
    meaning:
      'what was spent of a cap of the budget in its period, open and lost calls included; a sample per ' +
      'cap and tick, only where a budget is configured',
  },
  SpentTodayUsd: {
    unit: 'US dollars',
    from: ['detect'],
    isState: true,
    meaning:
      'what was spent on everything since midnight UTC, as `budget.usdPerDay` counts it; a sample per ' +
      'tick, only where that cap is configured',
  },
  PausedModels: {
    unit: 'Count',
    from: ['guard'],
    isState: true,
    meaning: 'models that stand still though no operator and no cap of the budget asked for it',
  },
  PausedSources: {
    unit: 'Count',
    from: ['guard'],
    isState: true,
    meaning: 'sources that stand still because their table is not what it was',
  },
  CapPauses: {
    unit: 'Count',
    from: ['guard'],
    isState: true,
    meaning:
      'caps of the budget that are reached, by what stands still for them; only where a budget is configured',
  },
  OperatorPauses: {
    unit: 'Count',
    from: ['guard'],
    isState: true,
    meaning: '1 while an operator has paused everything',
  },
  MappingsClosed: {
    unit: 'Count',
    from: ['guard'],
    isState: true,
    meaning: 'event sources that guard keeps closed',
  },
  MappingsDisabledByHand: {
    unit: 'Count',
    from: ['guard'],
    isState: true,
    meaning: 'event sources that somebody disabled; guard leaves them so',
  },
  DatabaseUnreachable: {
    unit: 'Count',
    from: ['guard'],
    meaning: '1 where the database did not answer twice, 5 seconds apart',
  },
  UnknownSchema: {
    unit: 'Count',
    from: ['guard'],
    meaning: '1 where schema freshet is of a version on which this code may not run',
  },
  EarlyTimeouts: { unit: 'Count', from: EVERYBODY, meaning: 'invocations ended a second before their time' },
} as const satisfies Record<string, MetricDefinition>;

export type MetricName = keyof typeof METRICS;

/** Names of the metrics in milliseconds. */
export type DurationName = {
  [Name in MetricName]: (typeof METRICS)[Name]['unit'] extends 'Milliseconds' ? Name : never;
}[MetricName];

export const METRIC_NAMESPACE = 'Freshet';
