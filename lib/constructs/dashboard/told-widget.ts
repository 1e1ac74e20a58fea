import type { IWidget } from 'aws-cdk-lib/aws-cloudwatch';

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
