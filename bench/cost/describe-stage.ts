import { Template } from 'aws-cdk-lib/assertions';
import { FUNCTION_SETTINGS } from '../../lib/constructs/function-settings.ts';
import { chooseStage } from '../../lib/core/config/choose-stage.ts';
import { parseConfig } from '../../lib/core/config/parse-config.ts';
import type { RunFunction } from '../../lib/core/cost/counted-run.ts';
import type { DeployedStage } from '../../lib/core/cost/price-month.ts';
import { configInput, createStack, openAiSecret } from '../../test/factories/pipeline-stack.ts';
import { resourcesOf } from '../../test/support/resources-of.ts';

const MINUTES_PER_MONTH = 730 * 60;
const DAYS_PER_MONTH = 730 / 24;

/** Counts what the template of a stage with one model of OpenAI and the defaults has. */
export function describeStage(): {
  readonly stage: DeployedStage;
  readonly environments: Readonly<Record<RunFunction, number>>;
} {
  const config = configInput({ models: ['openai'], stage: { providerSecrets: { openai: openAiSecret } } });
  const { maxConcurrency } = chooseStage(parseConfig(config), 'test');
  const template = Template.fromStack(createStack(config));
  const count = (type: string) => resourcesOf(template, type).length;
  const ticks = { detect: 0, guard: 0 };
  for (const { properties } of resourcesOf<Schedule>(template, 'AWS::Scheduler::Schedule')) {
    const name = JSON.stringify(properties.Target.Arn).includes('guard') ? 'guard' : 'detect';
    ticks[name] += Math.round(countTicks(properties.ScheduleExpression));
  }
  return {
    stage: {
      alarms: count('AWS::CloudWatch::Alarm'),
      compositeAlarms: count('AWS::CloudWatch::CompositeAlarm'),
      dashboards: count('AWS::CloudWatch::Dashboard'),
      secrets: 2,
      eventSources: count('AWS::Lambda::EventSourceMapping'),
      ticks,
      memoryMb: { detect: FUNCTION_SETTINGS.detect.memoryMb, guard: FUNCTION_SETTINGS.guard.memoryMb },
    },
    environments: {
      detect: 1,
      embed: maxConcurrency.fresh + maxConcurrency.bulk,
      write: maxConcurrency.write,
    },
  };
}

interface Schedule {
  readonly ScheduleExpression: string;
  readonly Target: { readonly Arn: unknown };
}

const UNIT_MINUTES = { minute: 1, hour: 60, day: 1440 } as const;

/** A month. Of `cron` only what fires once a day is known. */
function countTicks(expression: string): number {
  const [, every, unit] = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(expression) ?? [];
  if (every !== undefined)
    return MINUTES_PER_MONTH / (Number(every) * UNIT_MINUTES[unit as keyof typeof UNIT_MINUTES]);
  if (/^cron\(\d+ \d+ \* \* \? \*\)$/.test(expression)) return DAYS_PER_MONTH;
  throw new Error(`${expression} is a schedule whose ticks are not counted yet.`);
}
