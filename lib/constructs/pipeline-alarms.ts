import { Duration } from 'aws-cdk-lib';
import {
  Alarm,
  AlarmRule,
  AlarmState,
  ComparisonOperator,
  CompositeAlarm,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { Topic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { ALARM_KINDS, type AlarmKindName, describeAlarm, describePage } from '../core/alarms.ts';
import { type AlarmDescription, listAlarms } from './alarm-rules.ts';
import { MINUTE, type ObservedPipeline } from './observed-pipeline.ts';

interface PipelineAlarmsProps {
  readonly stage: string;
  readonly observed: ObservedPipeline;
  readonly topic: Topic;
  /** The function that posts to the webhook; undefined: there is no webhook. */
  readonly webhook?: LambdaFunction | undefined;
  /** US dollars per day; undefined: no alarm on the budget. */
  readonly budgetUsd?: number | undefined;
  /** False: the alarms tell nobody, as in a stack that is deployed paused. */
  readonly enabled: boolean;
}

/** A minute longer than the guard takes to tell that somebody paused everything. */
const SUPPRESSOR_WAIT = Duration.minutes(2);

/**
 * The alarms of a deployment, and how they speak.
 * Alarms that wake somebody speak through one composite alarm, so that an outage pages once however
 * many alarms see it. The composite alarm is silent while an operator has paused everything. The
 * other alarms speak for themselves.
 */
export class PipelineAlarms extends Construct {
  /** The composite alarm, which names the alarms behind it in its message. */
  readonly page: CompositeAlarm;
  readonly alarms: readonly { readonly kind: AlarmKindName; readonly alarm: Alarm }[];
  readonly #enabled: boolean;

  constructor(scope: Construct, id: string, props: PipelineAlarmsProps) {
    super(scope, id);
    this.#enabled = props.enabled;
    const action = new SnsAction(props.topic);
    this.alarms = listAlarms(props.observed, props).map(rule => ({
      kind: rule.kind,
      alarm: this.#createAlarm(
        rule.subject === undefined ? rule.kind : `${rule.kind}-${rule.subject}`,
        rule,
        describeAlarm(rule.kind, props.stage, rule.subject),
      ),
    }));
    for (const { kind, alarm } of this.alarms)
      if (ALARM_KINDS[kind].severity === 'notice') alarm.addAlarmAction(action);

    const paging = this.alarms.filter(({ kind }) => ALARM_KINDS[kind].severity === 'page');
    this.page = new CompositeAlarm(this, 'Page', {
      alarmDescription: describePage(props.stage),
      alarmRule: AlarmRule.anyOf(...paging.map(({ alarm }) => AlarmRule.fromAlarm(alarm, AlarmState.ALARM))),
      actionsEnabled: props.enabled,
      actionsSuppressor: this.#createSuppressor(props.observed),
      actionsSuppressorWaitPeriod: SUPPRESSOR_WAIT,
      actionsSuppressorExtensionPeriod: SUPPRESSOR_WAIT,
    });
    this.page.addAlarmAction(action);
    this.page.addOkAction(action);
  }

  /**
   * Creates the alarm that silences the composite alarm while an operator pauses everything.
   * This alarm tells nobody itself.
   */
  #createSuppressor({ metrics }: ObservedPipeline): Alarm {
    return this.#createAlarm(
      'paused-by-operator',
      {
        metric: metrics.one('OperatorPauses', { statistic: 'Maximum', period: MINUTE }),
        threshold: 1,
        comparison: 'from',
      },
      'An operator has paused everything: the page alarm is silent meanwhile. Wakes nobody itself.',
    );
  }

  #createAlarm(id: string, rule: Omit<AlarmDescription, 'kind'>, description: string): Alarm {
    const { metric, threshold, comparison = 'above', periods = 1, badPeriods = periods, missing } = rule;
    return new Alarm(this, id, {
      alarmDescription: description,
      metric,
      threshold,
      comparisonOperator:
        comparison === 'above'
          ? ComparisonOperator.GREATER_THAN_THRESHOLD
          : ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      evaluationPeriods: periods,
      datapointsToAlarm: badPeriods,
      treatMissingData: missing ?? TreatMissingData.NOT_BREACHING,
      actionsEnabled: this.#enabled,
    });
  }
}
