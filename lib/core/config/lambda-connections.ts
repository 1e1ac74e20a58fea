/** Connections that one execution environment of a function holds at once: a pool of one, and for `detect` the session of its tick's lock beside it. */
export const LAMBDA_CONNECTIONS = {
  detect: 2,
  embed: 1,
  write: 1,
  guard: 1,
  migrate: 1,
  operate: 1,
} as const;

export type LambdaName = keyof typeof LAMBDA_CONNECTIONS;

/** The function of the example database, beside the pipeline's. */
export const SAMPLE_CONNECTIONS = 1;

/** What a stage may hold unless it says otherwise: PostgreSQL itself takes 100 unless told otherwise, and the application needs the rest. */
export const DEFAULT_MAX_CONNECTIONS = 60;

/** As it stands in logs and metrics; `sample` belongs to the example database, `notify` to the alarms, and neither to the pipeline. */
export type ComponentName = LambdaName | 'notify' | 'sample';
