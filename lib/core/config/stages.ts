import { UsageError } from '../errors.ts';
import { DOCS } from '../own-command.ts';
import {
  type AwsSection,
  type AwsStage,
  DEFAULT_STAGE_SETTINGS,
  STAGE_NAME,
  STAGE_NAME_EXPECTATION,
  type StageSettings,
} from './aws-schema.ts';
import { type ConfigProblem, formatPath, nearestWord, suggestNearest } from './describe-issues.ts';
import type { PipelineConfig, SourceConfig } from './pipeline-config.ts';

/**
 * Finds a stage of the configuration by its name.
 * @throws UsageError when the configuration has no such stage; the error names the nearest one, or
 *   how to add the first
 */
export function chooseStage(config: PipelineConfig, name: string): AwsStage {
  const stages = config.aws?.stages ?? {};
  if (Object.hasOwn(stages, name)) return stages[name]!;
  const known = Object.keys(stages);
  if (known.length === 0)
    throw new UsageError(
      `The configuration has no stage "${name}": it has no section aws.`,
      `Add aws: { stages: { dev: { vpc, database } } }; ${DOCS}/deployment.md lists the keys.`,
    );
  const nearest = nearestWord(name, known);
  const suggestion = nearest === undefined ? '' : ` Did you mean -c stage=${nearest}?`;
  throw new UsageError(
    `"${name}" is no stage of the configuration (known: ${known.join(', ')}).${suggestion}`,
  );
}

/** Name of the example's table, in the schema `public`. */
const TABLE = 'ai_items';

/**
 * Chooses the settings of a stage beside the example database.
 * A stage of that name in the configuration gives all but its network and its database. Without
 * such a stage the defaults hold.
 * @throws UsageError when a source names another table than the example's, or the name is no stage
 *   name
 */
export function chooseExampleStage(config: PipelineConfig, name: string): StageSettings {
  if (!STAGE_NAME.test(name)) throw new UsageError(`-c stage=${name}: expected ${STAGE_NAME_EXPECTATION}.`);
  const strange = config.sources.find(({ table }) => !isExampleTable(table));
  if (strange !== undefined)
    throw new UsageError(
      `The example database has the table public.${TABLE} and no other; source "${strange.name}" ` +
        'names another one.',
      'Leave -c config out for the demo configuration, or name a stage with a database of your own.',
    );
  const stages = config.aws?.stages ?? {};
  if (!Object.hasOwn(stages, name)) return DEFAULT_STAGE_SETTINGS;
  const { vpc: _, database: __, ...settings } = stages[name]!;
  return settings;
}

function isExampleTable(table: SourceConfig['table']): boolean {
  const { schema, name } = typeof table === 'string' ? splitName(table) : table;
  return schema === 'public' && name === TABLE;
}

function splitName(table: string): { schema: string; name: string } {
  const [first = '', second] = table.split('.');
  return second === undefined ? { schema: 'public', name: first } : { schema: first, name: second };
}

/**
 * Finds contradictions between the keys of the section `aws`, for every stage.
 * `aliases` are all models that a stage may name.
 */
export function findAwsProblems(
  aws: AwsSection | undefined,
  aliases: readonly string[],
): readonly ConfigProblem[] {
  return Object.entries(aws?.stages ?? {}).flatMap(([name, stage]) => {
    const path = ['aws', 'stages', name];
    return [
      ...findVpcProblems(stage, path),
      ...findDatabaseProblems(stage, path),
      ...findAliasProblems(stage, path, aliases),
      ...findScheduleProblems(stage, path),
    ];
  });
}

function findVpcProblems({ vpc, account, region }: AwsStage, path: readonly string[]): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const report = (key: string, message: string) =>
    problems.push({ path: formatPath([...path, 'vpc', key]), message });
  const canLookUp = account !== undefined && region !== undefined;
  for (const key of ['availabilityZones', 'privateSubnetIds'] as const) {
    const other = key === 'availabilityZones' ? vpc.privateSubnetIds : vpc.availabilityZones;
    if (vpc[key] === undefined && (other !== undefined || !canLookUp))
      report(
        key,
        'is missing; give availabilityZones and privateSubnetIds, or neither and the stage an ' +
          'account and a region, so that cdk looks the VPC up',
      );
  }
  const subnets = vpc.privateSubnetIds?.length;
  for (const key of ['availabilityZones', 'privateRouteTableIds'] as const) {
    const given = vpc[key]?.length;
    if (given !== undefined && subnets !== undefined && given !== subnets)
      report(key, `has ${given} entries for ${subnets} private subnets; give one for each`);
  }
  if (vpc.s3Endpoint && vpc.privateSubnetIds !== undefined && vpc.privateRouteTableIds === undefined)
    report('privateRouteTableIds', 'is missing; s3Endpoint needs the route table of each private subnet');
  return problems;
}

/** Finds a database with no way to log in, or with two. `path` leads to `database`. */
export function findDatabaseProblems(
  { database }: { readonly database: Partial<Pick<AwsStage['database'], 'secretArn' | 'iam'>> },
  path: readonly string[],
): ConfigProblem[] {
  if ((database.secretArn === undefined) !== (database.iam === undefined)) return [];
  const message =
    database.iam === undefined
      ? 'is missing; give secretArn, or iam: { user, resourceId }'
      : 'stands beside iam; give one of the two';
  return [{ path: formatPath([...path, 'database', 'secretArn']), message }];
}

/** Finds secrets of models that are none of `aliases`. `path` leads to `providerSecrets`. */
export function findAliasProblems(
  { providerSecrets }: { readonly providerSecrets: Readonly<Record<string, unknown>> },
  path: readonly string[],
  aliases: readonly string[],
): ConfigProblem[] {
  return Object.keys(providerSecrets)
    .filter(alias => !aliases.includes(alias))
    .map(alias => {
      const suggestion = suggestNearest(alias, aliases);
      return {
        path: formatPath([...path, 'providerSecrets', alias]),
        message: `is no model${suggestion} (known: ${aliases.join(', ')})`,
      };
    });
}

function findScheduleProblems({ schedules, sloMinutes }: AwsStage, path: readonly string[]): ConfigProblem[] {
  const message = findSlowSchedule(schedules.incremental, sloMinutes);
  return message === undefined ? [] : [{ path: formatPath([...path, 'schedules', 'incremental']), message }];
}

const SECONDS = { minute: 60, hour: 3_600, day: 86_400 } as const;

/**
 * Seconds between two ticks, at most, to judge whether a tick is missing.
 * Of a `cron(…)` the minutes and hours are read. A schedule that leaves out days is taken for one
 * of a day, and so is a field that is not understood.
 */
export function scheduleIntervalSeconds(expression: string): number {
  const rate = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(expression);
  if (rate !== null) return Number(rate[1]) * SECONDS[rate[2] as keyof typeof SECONDS];
  const fields = expression.replace(/^cron\(|\)$/g, '').split(' ');
  const minutes = expandField(fields[0] ?? '', 60);
  const hours = expandField(fields[1] ?? '', 24);
  const isDaily = fields.slice(2).every(field => field === '*' || field === '?');
  if (minutes === undefined || hours === undefined || !isDaily) return SECONDS.day;
  const ticks = hours.flatMap(hour => minutes.map(minute => hour * 60 + minute));
  const gaps = ticks.map((tick, place) => (ticks[place + 1] ?? ticks[0]! + 24 * 60) - tick);
  return Math.max(...gaps) * SECONDS.minute;
}

/**
 * Lists the values below `end` that a field of minutes or hours stands for, in rising order.
 * A field is `*`, or a list of values, ranges (`8-18`) and steps (`0/5`, `8-18/2`). Undefined: the
 * field is none of these.
 */
function expandField(field: string, end: number): number[] | undefined {
  const values = new Set<number>();
  for (const part of field.split(',')) {
    const match = /^(?:\*|(\d+)(?:-(\d+))?)(?:\/([1-9]\d*))?$/.exec(part);
    if (match === null) return undefined;
    const [, first = '0', last, step] = match;
    const isRange = match[1] === undefined || step !== undefined;
    const through = last !== undefined ? Number(last) : isRange ? end - 1 : Number(first);
    if (Number(first) > through || through >= end) return undefined;
    for (let value = Number(first); value <= through; value += Number(step ?? 1)) values.add(value);
  }
  return [...values].toSorted((a, b) => a - b);
}

/**
 * Says what is wrong where a stage looks for edits less often than it promises to embed them.
 * Such a promise cannot be kept: an edit may wait for its look longer than it should for its
 * vector. Undefined: nothing is wrong.
 */
export function findSlowSchedule(incremental: string, sloMinutes: number): string | undefined {
  const seconds = scheduleIntervalSeconds(incremental);
  if (seconds <= sloMinutes * SECONDS.minute) return undefined;
  return (
    `looks for edits every ${seconds / SECONDS.minute} minutes at worst ("${incremental}"), and sloMinutes ` +
    `promises their vectors within ${sloMinutes}: give schedules.incremental a rate of ${sloMinutes} ` +
    `minutes or less, or sloMinutes ${seconds / SECONDS.minute} or more`
  );
}

/**
 * Counts the runs that a schedule can have going at once if each takes `timeoutSeconds`.
 * Of a `cron(…)` only the minutes are read: one minute means a run every hour, anything else is
 * taken for a run every minute.
 */
export function countOverlappingRuns(expression: string, timeoutSeconds: number): number {
  const minutes = /^cron\((\S+)/.exec(expression)?.[1];
  const shortest =
    minutes === undefined
      ? scheduleIntervalSeconds(expression)
      : /^\d+$/.test(minutes)
        ? SECONDS.hour
        : SECONDS.minute;
  return Math.ceil(timeoutSeconds / shortest);
}
