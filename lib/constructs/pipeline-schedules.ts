import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { Schedule } from 'aws-cdk-lib/aws-scheduler';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { FunctionSchedule } from './function-schedule.ts';

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
