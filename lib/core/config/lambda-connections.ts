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

/** As it stands in logs and metrics; `sample` belongs to the example database, `notify` to the alarms, and neither to the pipeline. */
export type ComponentName = LambdaName | 'notify' | 'sample';
