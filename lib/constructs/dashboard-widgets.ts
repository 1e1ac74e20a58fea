import {
  GraphWidget,
  type HorizontalAnnotation,
  type IMetric,
  type IWidget,
  SingleValueWidget,
} from 'aws-cdk-lib/aws-cloudwatch';

/** A widget and what it tells. docs/dashboard.md is printed from these widgets. */
export interface DescribedWidget {
  readonly title: string;
  readonly description: string;
  readonly widget: IWidget;
}

export interface DashboardRow {
  readonly name: string;
  readonly widgets: readonly DescribedWidget[];
}

/** The 24 columns of a dashboard. */
export const FULL_WIDTH = 24;

const ROW_HEIGHT = 6;

interface GraphProps {
  readonly title: string;
  readonly description: string;
  readonly width: number;
  readonly metrics: readonly IMetric[];
  readonly right?: readonly IMetric[];
  readonly lines?: readonly HorizontalAnnotation[];
  /** The unit of the left axis, in words. */
  readonly unit: string;
}

/** A widget of curves from 0 upwards; `right` has an axis of its own. */
export function createGraph(props: GraphProps): DescribedWidget {
  const { title, description, width, metrics, right, lines, unit } = props;
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
  return { title, description, widget };
}

interface NumbersProps {
  readonly title: string;
  readonly description: string;
  readonly width: number;
  readonly metrics: readonly IMetric[];
}

/** A widget with the latest value of each metric, over the metric's own period. */
export function createNumbers({ title, description, width, metrics }: NumbersProps): DescribedWidget {
  const widget = new SingleValueWidget({
    title,
    width,
    height: ROW_HEIGHT,
    metrics: [...metrics],
    fullPrecision: true,
  });
  return { title, description, widget };
}

/** A red line across a graph: a promise, or the value above which an alarm goes off. */
export function limitLine(value: number, label: 'alarm' | 'promise' | 'cap'): HorizontalAnnotation {
  return { value, label, color: '#d62728' };
}
