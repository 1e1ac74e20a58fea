import { Duration, Stack, TimeZone } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { Schedule, ScheduleExpression, ScheduleTargetInput } from 'aws-cdk-lib/aws-scheduler';
import { LambdaInvoke } from 'aws-cdk-lib/aws-scheduler-targets';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';

export interface FunctionScheduleProps {
  readonly target: IFunction;
  readonly description: string;
  /** `rate(…)` or `cron(…)`. */
  readonly expression: string;
  /** IANA time zone of a `cron(…)`. */
  readonly timeZone: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly deadLetterQueue: IQueue;
  readonly enabled: boolean;
}

/**
 * Starts a function by a schedule.
 * A tick that is lost or late is not repeated: the next tick does its work.
 */
export class FunctionSchedule extends Construct {
  readonly schedule: Schedule;

  constructor(scope: Construct, id: string, props: FunctionScheduleProps) {
    super(scope, id);
    const group = { service: 'scheduler', resource: 'schedule-group', resourceName: 'default' };
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('scheduler.amazonaws.com', {
        conditions: {
          StringEquals: {
            'aws:SourceAccount': Stack.of(this).account,
            'aws:SourceArn': Stack.of(this).formatArn(group),
          },
        },
      }),
    });
    role.addToPolicy(
      new PolicyStatement({
        actions: ['lambda:InvokeFunction'],
        resources: [props.target.functionArn],
      }),
    );
    role.addToPolicy(
      new PolicyStatement({ actions: ['sqs:SendMessage'], resources: [props.deadLetterQueue.queueArn] }),
    );
    this.schedule = new Schedule(this, 'Schedule', {
      description: props.description,
      schedule: ScheduleExpression.expression(props.expression, TimeZone.of(props.timeZone)),
      enabled: props.enabled,
      target: new LambdaInvoke(props.target, {
        // Left to itself, the target would add the right to invoke every version and alias.
        role: role.withoutPolicyUpdates(),
        input: ScheduleTargetInput.fromObject(props.input),
        deadLetterQueue: props.deadLetterQueue,
        retryAttempts: 0,
        maxEventAge: Duration.minutes(5),
      }),
    });
    this.schedule.node.addDependency(role);
  }
}

export type ScheduleName = 'incremental' | 'full' | 'continue' | 'guard';

export interface PipelineSchedulesProps {
  readonly detect: IFunction;
  readonly guard: IFunction;
  readonly deadLetterQueue: IQueue;
  readonly incremental: string;
  readonly full: string;
  readonly timeZone: string;
  readonly enabled: boolean;
}

/** When `continue` starts `detect`. */
const CONTINUE = 'rate(5 minutes)';

/** When `detect` is started: by `incremental`, by `full`, and by `continue`. */
export function detectExpressions(props: Pick<PipelineSchedulesProps, 'incremental' | 'full'>): string[] {
  return [props.incremental, props.full, CONTINUE];
}

/**
 * The schedules that start `detect` and `guard`.
 * `full` begins a walk over all keys; one tick goes only as far as its time and
 * `limits.maxInFlight` reach. `continue` takes a walk further that has begun, and begins the first
 * walk of a new space. With nothing to continue, a tick of `continue` costs one statement per
 * space.
 */
export class PipelineSchedules extends Construct {
  readonly schedules: Readonly<Record<ScheduleName, Schedule>>;

  constructor(scope: Construct, id: string, props: PipelineSchedulesProps) {
    super(scope, id);
    const { detect, guard, deadLetterQueue, timeZone, enabled } = props;
    const create = (
      name: ScheduleName,
      target: IFunction,
      expression: string,
      input: Record<string, unknown>,
      description: string,
    ) =>
      new FunctionSchedule(this, name, {
        target,
        expression,
        input,
        description,
        timeZone,
        deadLetterQueue,
        enabled,
      }).schedule;
    this.schedules = {
      incremental: create(
        'incremental',
        detect,
        props.incremental,
        { pass: 'incremental' },
        'edits, by time',
      ),
      full: create('full', detect, props.full, { pass: 'reconcile' }, 'all rows: begins'),
      continue: create(
        'continue',
        detect,
        CONTINUE,
        { pass: 'reconcile', resume: true },
        'all rows: goes on',
      ),
      guard: create('guard', guard, 'rate(1 minute)', { action: 'check' }, 'pauses, resumes, probes'),
    };
  }
}
