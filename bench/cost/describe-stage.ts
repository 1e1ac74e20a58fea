import { Template } from 'aws-cdk-lib/assertions';
import { FUNCTION_SETTINGS } from '../../lib/constructs/function-settings.ts';
import type { RunFunction } from '../../lib/core/aws-cost.ts';
import { shareConcurrency } from '../../lib/core/config/connections.ts';
import { parseConfig } from '../../lib/core/config/parse-config.ts';
import { chooseStage } from '../../lib/core/config/stages.ts';
import { createGpuStack, MODEL_PREFIX, servedModel } from '../../test/factories/gpu-endpoint-stack.ts';
import { configInput, createStack, openAiSecret } from '../../test/factories/pipeline-stack.ts';
import { resourcesOf } from '../../test/templates/resources-of.ts';
import { countSecrets } from '../../test/templates/rights.ts';
import { countWatching } from '../../test/templates/shown-metrics.ts';
import type { DeployedStage, WatchedStage } from './price-month.ts';

const MINUTES_PER_MONTH = 730 * 60;
const DAYS_PER_MONTH = 730 / 24;

/**
 * Counts what the template of a stage has, and what a GPU endpoint adds to the template.
 * The stage has one model of OpenAI and the defaults. `environments` are the most copies of each
 * function that run at once.
 */
export function describeStage(): {
  readonly stage: DeployedStage;
  readonly endpoint: WatchedStage;
  readonly environments: Readonly<Record<RunFunction, number>>;
} {
  const config = configInput({ models: ['openai'], stage: { providerSecrets: { openai: openAiSecret } } });
  const { fresh, bulk, write } = shareConcurrency(1, chooseStage(parseConfig(config), 'test').maxConcurrency);
  const template = Template.fromStack(createStack(config));
  const count = (type: string) => resourcesOf(template, type).length;
  const ticks = { detect: 0, guard: 0 };
  for (const { properties } of resourcesOf<Schedule>(template, 'AWS::Scheduler::Schedule')) {
    const name = JSON.stringify(properties.Target.Arn).includes('guard') ? 'guard' : 'detect';
    ticks[name] += Math.round(countTicks(properties.ScheduleExpression));
  }
  return {
    stage: {
      ...countWatching(template),
      secrets: countSecrets(template),
      eventSources: count('AWS::Lambda::EventSourceMapping'),
      ticks,
      memoryMb: { detect: FUNCTION_SETTINGS.detect.memoryMb, guard: FUNCTION_SETTINGS.guard.memoryMb },
    },
    endpoint: countEndpoint(),
    environments: {
      detect: 1,
      embed: fresh + bulk,
      write,
    },
  };
}

/**
 * Counts what a GPU endpoint adds: to the stage, and by the stack of the endpoint itself.
 * The two templates that are compared have the same model; only one has an endpoint.
 */
function countEndpoint(): WatchedStage {
  const pipelineWith = (gpu: object) =>
    countWatching(
      Template.fromStack(
        createStack(configInput({ models: ['e5'], modelSettings: { e5: servedModel }, stage: gpu })),
      ),
    );
  const watched = pipelineWith({ gpu: { model: 'e5', modelPrefix: MODEL_PREFIX } });
  const bare = pipelineWith({});
  const own = countWatching(Template.fromStack(createGpuStack()));
  const added = (name: keyof WatchedStage) => watched[name] - bare[name] + own[name];
  return {
    alarms: added('alarms'),
    alarmMetrics: added('alarmMetrics'),
    highResolutionAlarmMetrics: added('highResolutionAlarmMetrics'),
    compositeAlarms: added('compositeAlarms'),
    dashboards: added('dashboards'),
    keys: added('keys'),
  };
}

interface Schedule {
  readonly ScheduleExpression: string;
  readonly Target: { readonly Arn: unknown };
}

const UNIT_MINUTES = { minute: 1, hour: 60, day: 1440 } as const;

/**
 * Counts the ticks of a schedule in a month.
 * @throws Error for a `cron` that fires not once a day: those are not counted yet.
 */
function countTicks(expression: string): number {
  const [, every, unit] = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(expression) ?? [];
  if (every !== undefined)
    return MINUTES_PER_MONTH / (Number(every) * UNIT_MINUTES[unit as keyof typeof UNIT_MINUTES]);
  if (/^cron\(\d+ \d+ \* \* \? \*\)$/.test(expression)) return DAYS_PER_MONTH;
  throw new Error(`${expression} is a schedule whose ticks are not counted yet.`);
}
