/** The part of an alarm's properties by which CloudWatch judges datapoints. */
interface AlarmRule {
  readonly Threshold: number;
  readonly ComparisonOperator: string;
  readonly EvaluationPeriods: number;
  readonly DatapointsToAlarm: number;
  readonly TreatMissingData: string;
}

export type AlarmState = 'OK' | 'ALARM' | 'INSUFFICIENT_DATA';

/** Periods that CloudWatch looks at beyond those that it evaluates, for others where some are missing. */
const SPARE_PERIODS = 2;

/**
 * Judges the datapoints of an alarm as CloudWatch documents it, oldest first.
 *
 * Undefined is a period without data. CloudWatch looks at more periods than it evaluates. Where
 * enough of them have data, the latest of those decide and nothing is filled in. Where too few
 * have, the missing ones are filled as `TreatMissingData` says, and as few of them as it takes.
 */
export function evaluateAlarm(
  rule: AlarmRule,
  points: readonly (number | undefined)[],
  before: AlarmState,
): AlarmState {
  const seen = points.slice(-rule.EvaluationPeriods - SPARE_PERIODS);
  const real = seen.filter(point => point !== undefined).slice(-rule.EvaluationPeriods);
  const filled = rule.EvaluationPeriods - real.length;
  const bad = real.filter(point => isBad(rule, point)).length;
  if (real.length === 0 && rule.TreatMissingData === 'missing') return 'INSUFFICIENT_DATA';
  if (bad >= rule.DatapointsToAlarm) {
    if (rule.TreatMissingData === 'ignore' && filled > 0) return before;
    return 'ALARM';
  }
  if (filled === 0) return 'OK';
  switch (rule.TreatMissingData) {
    case 'breaching':
      return bad + filled >= rule.DatapointsToAlarm ? 'ALARM' : 'OK';
    case 'notBreaching':
      return 'OK';
    case 'ignore':
      return real.length === 0 || bad > 0 ? before : 'OK';
    default:
      return bad === real.length ? 'ALARM' : 'OK';
  }
}

function isBad({ ComparisonOperator, Threshold }: AlarmRule, point: number): boolean {
  if (ComparisonOperator === 'GreaterThanThreshold') return point > Threshold;
  if (ComparisonOperator === 'GreaterThanOrEqualToThreshold') return point >= Threshold;
  if (ComparisonOperator === 'LessThanThreshold') return point < Threshold;
  throw new Error(`${ComparisonOperator} is no comparison of ours.`);
}

/** The states of an alarm while a series grows by one period after the other. */
export function replayAlarm(rule: AlarmRule, points: readonly (number | undefined)[]): AlarmState[] {
  const states: AlarmState[] = [];
  for (const [place] of points.entries())
    states.push(evaluateAlarm(rule, points.slice(0, place + 1), states.at(-1) ?? 'INSUFFICIENT_DATA'));
  return states;
}
