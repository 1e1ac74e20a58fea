import { lineOnStage, type StageAddress, stackNameOf } from './own-command.ts';

/**
 * The alarms that wake somebody: one for what can go wrong by itself and stay so.
 * A state that lasts, such as a dead letter that nobody has looked at, keeps its own page red and
 * no other, so that what comes after it still speaks. Within a page an outage speaks once, however
 * many of its alarms see it.
 */
export const PAGE_GROUPS = {
  database: 'the database cannot be used',
  work: 'a model or a source stands still, a cap is reached, or rows wait too long',
  'dead-letters': 'messages lie in a dead-letter queue',
  schedule: 'nobody looks for changed rows',
} as const;

export type PageGroup = keyof typeof PAGE_GROUPS;

/** What people are told about alarms of one kind. */
interface AlarmKind {
  /**
   * How urgent the alarm is.
   * A `page` is part of an alarm that wakes somebody. A `notice` is sent by itself and can wait for
   * the morning.
   */
  readonly severity: 'page' | 'notice';
  /** The page that the alarm is part of; undefined for a notice. */
  readonly group?: PageGroup;
  /** The sentence of the alarm's description that says what is wrong. */
  readonly meaning: string;
  /**
   * The command to type first, which shows what is wrong and changes nothing.
   * After `aws:` come the words of `freshet aws`; `<of>` stands for what the alarm watches.
   */
  readonly first: string;
}

/** Every kind of alarm. The kind's name is the heading of its section in docs/operations.md. */
export const ALARM_KINDS = {
  freshness: {
    severity: 'page',
    group: 'work',
    meaning: 'A changed row has waited for its vector for longer than promised.',
    first: 'aws:status',
  },
  'detect-silent': {
    severity: 'page',
    group: 'schedule',
    meaning: 'detect has told nothing for three ticks: its schedule is off, or it fails.',
    first: 'aws:logs --function detect --trouble',
  },
  'dead-letters': {
    severity: 'page',
    group: 'dead-letters',
    meaning:
      'Messages failed five times and lie in a dead-letter queue; their rows stay stale until ' +
      'somebody looks.',
    first: 'aws:logs --trouble --since 1h',
  },
  'database-unreachable': {
    severity: 'page',
    group: 'database',
    meaning:
      'The database has not answered for five minutes, or guard has stopped telling; all queues are closed.',
    first: 'aws:logs --function guard --trouble',
  },
  'unknown-schema': {
    severity: 'page',
    group: 'database',
    meaning:
      'Schema freshet of the database is of a version on which the deployed code may not run; all ' +
      'queues are closed.',
    first: 'aws:logs --function guard --trouble',
  },
  'models-paused': {
    severity: 'page',
    group: 'work',
    meaning:
      'A model stands still because its provider said stop (key, quota, model) or the database takes ' +
      'no writes.',
    first: 'aws:status',
  },
  'sources-paused': {
    severity: 'page',
    group: 'work',
    meaning:
      'A source stands still because its table is not what it was: a column, a right or the table ' +
      'itself changed.',
    first: 'aws:status',
  },
  'queue-age': {
    severity: 'notice',
    meaning:
      'A message has waited for longer than three visibility timeouts: work comes in faster than it ' +
      'is done, or not at all.',
    first: 'aws:status',
  },
  'function-errors': {
    severity: 'notice',
    meaning: 'A function failed as a whole; its messages come again.',
    first: 'aws:logs --function <of> --trouble',
  },
  'function-throttles': {
    severity: 'notice',
    meaning: 'Lambda refused to start a function: the account’s concurrency is used up.',
    first: 'aws lambda get-account-settings --query AccountLimit',
  },
  'function-duration': {
    severity: 'notice',
    meaning: 'One invocation in a hundred takes more than 80 % of the time that the function has.',
    first: 'aws:logs --function <of> --trouble --since 1h',
  },
  'provider-errors': {
    severity: 'notice',
    meaning: 'More than a fifth of the calls of the provider failed for other reasons than throttling.',
    first: 'aws:logs --function embed --trouble',
  },
  'provider-throttles': {
    severity: 'notice',
    meaning:
      'The provider asked for more than a fifth of the calls to come later: the fleet is over its limit.',
    first: 'aws:logs --function embed --trouble',
  },
  'unknown-failures': {
    severity: 'notice',
    meaning:
      'A provider failed in a way that no rule knows; the messages come again and end as dead letters.',
    first: 'aws:logs --function embed --trouble --since 1h',
  },
  'endpoint-errors': {
    severity: 'notice',
    meaning: 'The GPU endpoint answers 5xx, or not at all, in three minutes of five.',
    first: 'aws:logs --function embed --trouble',
  },
  'endpoint-latency': {
    severity: 'notice',
    meaning:
      'One call in a hundred of the GPU endpoint takes over 30 s, half of the time that SageMaker gives it.',
    first: 'aws sagemaker describe-inference-component --inference-component-name <of>',
  },
  'endpoint-memory': {
    severity: 'notice',
    meaning: 'Over 95 % of the memory of the endpoint’s GPU is taken: the next large batch may not fit.',
    first: 'aws logs tail /aws/sagemaker/InferenceComponents/<of> --since 1h',
  },
  'endpoint-overhead': {
    severity: 'notice',
    meaning: 'SageMaker itself adds more than a second to a call of the GPU endpoint.',
    first: 'aws sagemaker describe-inference-component --inference-component-name <of>',
  },
  budget: {
    severity: 'notice',
    meaning:
      'The provider’s calls of one day cost more than alarms.budgetUsd; nothing is paused by it: caps ' +
      'are another setting.',
    first: 'aws:status',
  },
  'cap-near': {
    severity: 'notice',
    meaning:
      'More than 80 % of a cap of the budget is spent; what it is about stands still once it is reached.',
    first: 'aws:status',
  },
  'cap-reached': {
    severity: 'page',
    group: 'work',
    meaning:
      'A cap of the budget is reached: what it is about stands still until its period ends or the cap ' +
      'is raised.',
    first: 'aws:status',
  },
  'orphan-removal-stopped': {
    severity: 'notice',
    meaning:
      'Many source rows are missing at once, or row security may hide them, so that no vector is ' +
      'deleted until somebody confirms.',
    first: 'aws:logs --function detect --trouble --since 24h',
  },
  'mapping-disabled-by-hand': {
    severity: 'notice',
    meaning: 'Somebody disabled an event source mapping, and nobody but a person enables it again.',
    first: 'aws:status',
  },
  'schedule-dead-letters': {
    severity: 'notice',
    meaning: 'A tick of detect or guard failed or never started; the next one does its work.',
    first: 'aws:logs --trouble --since 6h',
  },
  'service-errors': {
    severity: 'notice',
    meaning: 'More than one request in twenty of the service for clients got no answer (5xx).',
    first: 'aws:logs --function api --trouble',
  },
  'service-latency': {
    severity: 'notice',
    meaning: 'One request in a hundred of the service for clients takes over 5 s.',
    first: 'aws:logs --function api --trouble --since 1h',
  },
  'webhook-errors': {
    severity: 'notice',
    meaning: 'Messages of alarms do not reach the webhook.',
    first: "aws cloudformation describe-stacks --stack-name <stack> --query 'Stacks[0].Outputs'",
  },
} as const satisfies Record<string, AlarmKind>;

export type AlarmKindName = keyof typeof ALARM_KINDS;

/** The page that alarms of a kind are part of; undefined for notices. */
export function groupOf(kind: AlarmKindName): PageGroup | undefined {
  const described: AlarmKind = ALARM_KINDS[kind];
  return described.group;
}

/**
 * Composes the command to type first.
 * `subject` is what the alarm watches, where alarms of that kind watch several things.
 */
function firstCommand(kind: AlarmKindName, address: StageAddress, subject = ''): string {
  const { first } = ALARM_KINDS[kind];
  const line = first.startsWith('aws:') ? lineOnStage(first.slice('aws:'.length), address) : first;
  return line.replace('<of>', subject).replace('<stack>', address.stack ?? stackNameOf(address.stage));
}

/**
 * Composes an alarm's description: what is wrong, what to type first, where to read on.
 * A mail or a message in Slack shows nothing else beside the alarm's name, so nobody has to find a
 * page first. CloudWatch takes at most 1,024 characters.
 */
export function describeAlarm(kind: AlarmKindName, address: StageAddress, subject?: string): string {
  const { meaning } = ALARM_KINDS[kind];
  const prefix = subject === undefined ? '' : `${subject}: `;
  return (
    `${prefix}${meaning} First: \`${firstCommand(kind, address, subject)}\`. ` +
    `What to do: docs/operations.md#${kind}`
  );
}

/** Composes the description of an alarm that wakes somebody. */
export function describePage(group: PageGroup, address: StageAddress): string {
  return (
    `Freshet ${address.stage} needs somebody now: ${PAGE_GROUPS[group]}; the alarms behind this one ` +
    'say why. ' +
    `First: \`${lineOnStage('status', address)}\`. What to do: docs/operations.md#first`
  );
}
