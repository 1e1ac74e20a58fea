import { Duration } from 'aws-cdk-lib';
import {
  Alarm,
  type AlarmBase,
  AlarmRule,
  AlarmState,
  ComparisonOperator,
  CompositeAlarm,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import {
  ALARM_KINDS,
  type AlarmKindName,
  describeAlarm,
  describePage,
  groupOf,
  PAGE_GROUPS,
  type PageGroup,
} from '../core/alarms.ts';
import { type StageAddress, stackNameOf } from '../core/own-command.ts';
import { listAlarms } from './alarm-rules.ts';
import { type AlarmDescription, MINUTE, type ObservedPipeline } from './observed-pipeline.ts';

interface PipelineAlarmsProps {
  readonly address: StageAddress;
  readonly observed: ObservedPipeline;
  readonly topic: ITopic;
  /** The function that posts to the webhook; undefined: there is no webhook. */
  readonly webhook?: LambdaFunction | undefined;
  /** US dollars per day; undefined: no alarm on the budget. */
  readonly budgetUsd?: number | undefined;
  /** False: the alarms tell nobody, as in a stack that is deployed paused. */
  readonly enabled: boolean;
}

const OPERATORS = {
  above: ComparisonOperator.GREATER_THAN_THRESHOLD,
  from: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
  below: ComparisonOperator.LESS_THAN_THRESHOLD,
} as const;

/** A minute longer than the guard takes to tell that somebody paused everything. */
const SUPPRESSOR_WAIT = Duration.minutes(2);

/**
 * The alarms of a deployment, and how they speak.
 * Alarms that wake somebody speak through the composite alarm of their group, so that an outage
 * pages once however many alarms see it, and no state that lasts hides another. The composite
 * alarms are silent while an operator has paused everything. The other alarms speak for themselves,
 * at their end too.
 */
export class PipelineAlarms extends Construct {
  /** The composite alarms, which name the alarms behind them in their messages. */
  readonly pages: Readonly<Record<PageGroup, CompositeAlarm>>;
  readonly alarms: readonly { readonly kind: AlarmKindName; readonly alarm: Alarm }[];
  readonly #props: PipelineAlarmsProps;

  constructor(scope: Construct, id: string, props: PipelineAlarmsProps) {
    super(scope, id);
    this.#props = props;
    this.alarms = listAlarms(props.observed, props).map(rule => ({
      kind: rule.kind,
      alarm: this.#createAlarm(
        rule.subject === undefined ? rule.kind : `${rule.kind}-${rule.subject}`,
        rule,
        describeAlarm(rule.kind, props.address, rule.subject),
      ),
    }));
    for (const { kind, alarm } of this.alarms) if (ALARM_KINDS[kind].severity === 'notice') this.#tell(alarm);
    const suppressor = this.#createSuppressor(props.observed);
    this.pages = Object.fromEntries(
      (Object.keys(PAGE_GROUPS) as PageGroup[]).map(group => [group, this.#createPage(group, suppressor)]),
    ) as Record<PageGroup, CompositeAlarm>;
  }

  /** Tells the topic when an alarm begins and when it is over. */
  #tell(alarm: AlarmBase): void {
    const action = new SnsAction(this.#props.topic);
    alarm.addAlarmAction(action);
    alarm.addOkAction(action);
  }

  #createPage(group: PageGroup, suppressor: Alarm): CompositeAlarm {
    const { address, enabled } = this.#props;
    const members = this.alarms.filter(({ kind }) => groupOf(kind) === group);
    const page = new CompositeAlarm(this, `Page-${group}`, {
      compositeAlarmName: this.#nameOf(`page-${group}`),
      alarmDescription: describePage(group, address),
      alarmRule: AlarmRule.anyOf(...members.map(({ alarm }) => AlarmRule.fromAlarm(alarm, AlarmState.ALARM))),
      actionsEnabled: enabled,
      actionsSuppressor: suppressor,
      actionsSuppressorWaitPeriod: SUPPRESSOR_WAIT,
      actionsSuppressorExtensionPeriod: SUPPRESSOR_WAIT,
    });
    this.#tell(page);
    return page;
  }

  /**
   * Names an alarm after stack and stage, which a mail shows before anything else.
   * Names are unique in account and region. No name of a stack or a stage has a dot.
   */
  #nameOf(id: string): string {
    const { stage, stack } = this.#props.address;
    return stack === undefined ? `${stackNameOf(stage)}-${id}` : `${stack}.${stage}.${id}`;
  }

  /**
   * Creates the alarm that silences the composite alarms while an operator pauses everything.
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
      'An operator has paused everything: the alarms that page are silent meanwhile. Wakes nobody itself.',
    );
  }

  #createAlarm(id: string, rule: Omit<AlarmDescription, 'kind'>, description: string): Alarm {
    const { metric, threshold, comparison = 'above', periods = 1, badPeriods = periods, missing } = rule;
    return new Alarm(this, id, {
      alarmName: this.#nameOf(id),
      alarmDescription: description,
      metric,
      threshold,
      comparisonOperator: OPERATORS[comparison],
      evaluationPeriods: periods,
      datapointsToAlarm: badPeriods,
      treatMissingData: missing ?? TreatMissingData.NOT_BREACHING,
      actionsEnabled: this.#props.enabled,
    });
  }
}
