import { Duration } from 'aws-cdk-lib';
import {
  GraphWidget,
  type HorizontalAnnotation,
  type IMetric,
  SingleValueWidget,
} from 'aws-cdk-lib/aws-cloudwatch';
import { ROW_HEIGHT, type ToldWidget } from './told-widget.ts';

export interface GraphProps {
  readonly title: string;
  readonly tells: string;
  readonly width: number;
  readonly metrics: readonly IMetric[];
  readonly right?: readonly IMetric[];
  readonly lines?: readonly HorizontalAnnotation[];
  /** The unit of the left axis, in words. */
  readonly unit: string;
}

export function graph({ title, tells, width, metrics, right, lines, unit }: GraphProps): ToldWidget {
  const widget = new GraphWidget({
    title,
    width,
    height: ROW_HEIGHT,
    left: [...metrics],
    leftYAxis: { min: 0, label: unit, showUnits: false },
    ...(right && { right: [...right], rightYAxis: { min: 0, showUnits: false } }),
    ...(lines && { leftAnnotations: [...lines] }),
    liveData: true,
  });
  return { title, tells, widget };
}

export interface NumbersProps {
  readonly title: string;
  readonly tells: string;
  readonly width: number;
  readonly metrics: readonly IMetric[];
}

/** A widget with the latest value of each metric, over the metric's own period. */
export function numbers({ title, tells, width, metrics }: NumbersProps): ToldWidget {
  const widget = new SingleValueWidget({
    title,
    width,
    height: ROW_HEIGHT,
    metrics: [...metrics],
    fullPrecision: true,
  });
  return { title, tells, widget };
}

export const DAY = Duration.days(1);
