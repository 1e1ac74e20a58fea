import { Duration } from 'aws-cdk-lib';
import { TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { CAP_NEAR_PERCENT, type Cap } from '../core/budget.ts';
import { PIPELINE_SCOPE } from '../core/control.ts';
import { createGraph, type DescribedWidget, limitLine } from './dashboard-widgets.ts';
import {
  type AlarmDescription,
  DAY,
  MINUTE,
  type ObservedPipeline,
  tickPeriod,
} from './observed-pipeline.ts';

/** How wide the widget of the budget is. */
const BUDGET_WIDTH = 5;

/**
 * The alarms on money: what the calls of a day cost, and the caps, where each is configured.
 * A cap that is nearly reached is read from what a tick adds up; that it is reached, from the pause
 * that guard sees, because the call that would go beyond a cap is not made. Where nobody looks, the
 * first keeps its state.
 */
export function ofBudget(observed: ObservedPipeline, budgetUsd: number | undefined): AlarmDescription[] {
  const { metrics, caps } = observed;
  const ofDay: AlarmDescription[] =
    budgetUsd === undefined
      ? []
      : [{ kind: 'budget', metric: metrics.sum('CostUsd', { period: DAY }), threshold: budgetUsd }];
  if (caps.length === 0) return ofDay;
  return [
    ...ofDay,
    {
      kind: 'cap-near',
      metric: metrics.one('CapPercent', { statistic: 'Maximum', period: tickPeriod(observed) }),
      threshold: CAP_NEAR_PERCENT,
      comparison: 'from',
      missing: TreatMissingData.IGNORE,
    },
    {
      kind: 'cap-reached',
      metric: metrics.one('CapPauses', { statistic: 'Maximum', period: MINUTE }),
      threshold: 0,
      periods: 3,
    },
  ];
}

/** The widget of the caps; none where no budget is configured. */
export function budgetWidgets({ metrics, caps, tickSeconds }: ObservedPipeline): DescribedWidget[] {
  if (caps.length === 0) return [];
  const period = Duration.seconds(Math.max(60, tickSeconds));
  const daily = caps.find(isDaily);
  const percent = metrics.one('CapPercent', {
    statistic: 'Maximum',
    period,
    label: 'percent of the fullest cap',
  });
  const reached = metrics.one('CapPauses', { statistic: 'Maximum', period, label: 'caps reached' });
  const description =
    'What was spent today (UTC) against `budget.usdPerDay`, the line, where that is configured; else the ' +
    'percent spent of the fullest cap, as on the right, of which 80 is the alarm `cap-near`. A cap that ' +
    'is reached stops what it is about.';
  const shared = { title: 'Budget', description, width: BUDGET_WIDTH };
  if (daily === undefined)
    return [
      createGraph({
        ...shared,
        unit: 'percent',
        metrics: [percent],
        right: [reached],
        lines: [limitLine(CAP_NEAR_PERCENT, 'alarm')],
      }),
    ];
  const today = metrics.one('SpentTodayUsd', { statistic: 'Maximum', period, label: 'US dollars today' });
  return [
    createGraph({
      ...shared,
      unit: 'US dollars',
      metrics: [today],
      right: [percent, reached],
      lines: [limitLine(daily.usd, 'cap')],
    }),
  ];
}

/** Whether a cap is the one of everything in a day. */
function isDaily({ scope, period }: Cap): boolean {
  return scope === PIPELINE_SCOPE && period === 'day';
}
