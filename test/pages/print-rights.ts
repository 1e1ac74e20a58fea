import type { Template } from 'aws-cdk-lib/assertions';
import { FUNCTION_NAMES } from '../../lib/constructs/function-settings.ts';
import { policiesOf, type Rights, rightsOf } from '../templates/rights.ts';

/** The name of a resource of the template in a sentence, by the pattern of its id. */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [/^<Queues\w+DeadLetters>$/, 'the dead-letter queues'],
  [/^<QueuesResults>$/, 'the results queue'],
  [/^<Queues\w+>$/, 'the embed queues'],
  [/^<ScheduleDeadLetters>$/, "the schedules' dead-letter queue"],
  [/^<Claims>\/claims\/\*$/, 'objects under `claims/`'],
  [/^<Claims>$/, 'the claims bucket'],
  [/:secret:freshet\/database-/, "the database's secret"],
  [/:secret:freshet\/webhook-/, "the webhook's secret"],
  [/:secret:/, "the models' keys"],
  [/:event-source-mapping:/, "this stack's event source mappings"],
  [/:(endpoint|inference-component)\//, 'the SageMaker endpoints that models name'],
  [/^<Livedetect\w+>$/, 'the alias of `detect`'],
  [/^<Live\w+>$/, 'the alias of its function'],
];

function wordsFor(resource: string): string {
  const found = WORDS.find(([pattern]) => pattern.test(resource));
  if (found === undefined) throw new Error(`${resource} has no words in the table of rights: add them.`);
  return found[1];
}

/**
 * Prints a table of who may do which actions on what.
 *
 * Actions on the same resources share a row.
 */
export function printRights(template: Template): string {
  const policies = policiesOf(template);
  const rows = FUNCTION_NAMES.map(name => rowsOf(name, rightsOf(policies, `PipelineFunctions${name}Role`)));
  const api = rowsOf('api', rightsOf(policies, 'PipelineApiServiceRole'));
  const notify = rowsOf('notify', rightsOf(policies, 'PipelineAlarmTopicWebhookRole'));
  const schedules = rowsOf('schedules', rightsOf(policies, 'PipelineSchedules'));
  return ['| who | may | on |', '|---|---|---|', ...[...rows, api, notify, schedules].flat()].join('\n');
}

function rowsOf(name: string, rights: Rights): string[] {
  const byResources = new Map<string, string[]>();
  for (const [action, resources] of Object.entries(rights).sort(([left], [right]) =>
    left < right ? -1 : 1,
  )) {
    const on = [...new Set(resources.map(wordsFor))].sort().join(', ');
    byResources.set(on, [...(byResources.get(on) ?? []), action]);
  }
  if (byResources.size === 0) throw new Error(`${name} has no rights at all: is its role named otherwise?`);
  return [...byResources].map(
    ([on, actions], index) =>
      `| ${index === 0 ? `\`${name}\`` : ''} | ${actions.map(action => `\`${action}\``).join(', ')} | ${on} |`,
  );
}
