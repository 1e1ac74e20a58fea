interface AlarmKind {
  /** `page`: part of the one alarm that wakes somebody. `notice`: tells by itself, and can wait for the morning. */
  readonly severity: 'page' | 'notice';
  /** One sentence of the alarm's description. */
  readonly meaning: string;
}

/** Every kind of alarm; its section in docs/operations.md has the kind's name as its heading. */
export const ALARM_KINDS = {
  freshness: {
    severity: 'page',
    meaning:
      'A changed row has waited for its vector for longer than promised, or detect has stopped telling.',
  },
  'dead-letters': {
    severity: 'page',
    meaning:
      'Messages failed five times and lie in a dead-letter queue; their rows stay stale until somebody looks.',
  },
  'database-unreachable': {
    severity: 'page',
    meaning:
      'The database has not answered for five minutes, or guard has stopped telling; all queues are closed.',
  },
  'models-paused': {
    severity: 'page',
    meaning:
      'A model stands still because its provider said stop (key, quota, model) or the database takes no writes.',
  },
  'sources-paused': {
    severity: 'page',
    meaning:
      'A source stands still because its table is not what it was: a column, a right or the table itself changed.',
  },
  'queue-age': {
    severity: 'notice',
    meaning:
      'A message has waited for longer than three visibility timeouts: work comes in faster than it is done, or not at all.',
  },
  'function-errors': {
    severity: 'notice',
    meaning: 'A function failed as a whole; its messages come again.',
  },
  'function-throttles': {
    severity: 'notice',
    meaning: 'Lambda refused to start a function: the account’s concurrency is used up.',
  },
  'function-duration': {
    severity: 'notice',
    meaning: 'One invocation in a hundred takes more than 80 % of the time that the function has.',
  },
  'provider-errors': {
    severity: 'notice',
    meaning: 'More than a fifth of the calls of the provider failed for other reasons than throttling.',
  },
  'provider-throttles': {
    severity: 'notice',
    meaning:
      'The provider asked for more than a fifth of the calls to come later: the fleet is over its limit.',
  },
  'unknown-failures': {
    severity: 'notice',
    meaning:
      'A provider failed in a way that no rule knows; the messages come again and end as dead letters.',
  },
  'endpoint-errors': {
    severity: 'notice',
    meaning: 'The GPU endpoint answers 5xx, or not at all, in three minutes of five.',
  },
  'endpoint-latency': {
    severity: 'notice',
    meaning:
      'One call in a hundred of the GPU endpoint takes over 30 s, half of the time that SageMaker gives it.',
  },
  'endpoint-memory': {
    severity: 'notice',
    meaning: 'Over 95 % of the memory of the endpoint’s GPU is taken: the next large batch may not fit.',
  },
  'endpoint-overhead': {
    severity: 'notice',
    meaning: 'SageMaker itself adds more than a second to a call of the GPU endpoint.',
  },
  budget: {
    severity: 'notice',
    meaning: 'The provider’s calls of one day cost more than the budget; nothing is paused by it.',
  },
  'orphan-removal-stopped': {
    severity: 'notice',
    meaning:
      'Many source rows are missing at once, or row security may hide them, so that no vector is deleted until somebody confirms.',
  },
  'mapping-disabled-by-hand': {
    severity: 'notice',
    meaning: 'Somebody disabled an event source mapping, and nobody but a person enables it again.',
  },
  'schedule-dead-letters': {
    severity: 'notice',
    meaning: 'A tick of detect or guard failed or never started; the next one does its work.',
  },
  'webhook-errors': {
    severity: 'notice',
    meaning: 'Messages of alarms do not reach the webhook.',
  },
} as const satisfies Record<string, AlarmKind>;

export type AlarmKindName = keyof typeof ALARM_KINDS;

/** What an operator reads first. */
export function describeAlarm(kind: AlarmKindName): string {
  return `${ALARM_KINDS[kind].meaning} What to do: docs/operations.md#${kind}`;
}
