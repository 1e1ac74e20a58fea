import { Duration } from 'aws-cdk-lib';
import {
  GraphWidget,
  type HorizontalAnnotation,
  type IMetric,
  type IWidget,
  SingleValueWidget,
} from 'aws-cdk-lib/aws-cloudwatch';

/** A widget and what it tells. docs/dashboard.md is printed from these widgets. */
export interface ToldWidget {
  readonly title: string;
  readonly tells: string;
  readonly widget: IWidget;
}

export interface DashboardRow {
  readonly name: string;
  readonly widgets: readonly ToldWidget[];
}

/** The 24 columns of a dashboard. */
export const FULL_WIDTH = 24;
export const ROW_HEIGHT = 6;

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
