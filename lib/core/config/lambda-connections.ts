/**
 * Database connections that one execution environment of each function holds at once.
 * Each function has a pool of one connection. `detect` also holds the session of its tick's lock.
 */
export const LAMBDA_CONNECTIONS = {
  detect: 2,
  embed: 1,
  write: 1,
  guard: 1,
  migrate: 1,
  operate: 1,
} as const;

export type LambdaName = keyof typeof LAMBDA_CONNECTIONS;

/** Connections of the example database's function, beside those of the pipeline. */
export const SAMPLE_CONNECTIONS = 1;

/**
 * Connections that a stage may hold unless its configuration says otherwise.
 * PostgreSQL's default is 100, and the application needs the rest.
 */
export const DEFAULT_MAX_CONNECTIONS = 60;

/**
 * Names of the functions in logs and metrics.
 * `sample` belongs to the example database and `notify` to the alarms, not to the pipeline.
 */
export type ComponentName = LambdaName | 'notify' | 'sample';
