import { Duration, Stack } from 'aws-cdk-lib';
import { Dashboard, TextWidget } from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import { databaseRow } from './dashboard/database-row.ts';
import { flowRow } from './dashboard/flow-row.ts';
import { functionsRow } from './dashboard/functions-row.ts';
import { promiseRow } from './dashboard/promise-row.ts';
import { providerRow } from './dashboard/provider-row.ts';
import { type DashboardRow, FULL_WIDTH } from './dashboard/told-widget.ts';
import type { ObservedPipeline } from './observed-pipeline.ts';

/** The dashboard: five rows, from what was promised down to what it stands on. */
export class PipelineDashboard extends Construct {
  readonly dashboard: Dashboard;
  readonly rows: readonly DashboardRow[];
  /** The address of the dashboard in the console, for people. */
  readonly url: string;

  constructor(scope: Construct, id: string, observed: ObservedPipeline) {
    super(scope, id);
    this.rows = [promiseRow, flowRow, providerRow, functionsRow, databaseRow].map(row => row(observed));
    this.dashboard = new Dashboard(this, 'Dashboard', {
      defaultInterval: Duration.days(1),
      widgets: this.rows.flatMap(({ name, widgets }) => [
        [new TextWidget({ markdown: `## ${name}`, width: FULL_WIDTH, height: 1 })],
        widgets.map(({ widget }) => widget),
      ]),
    });
    const { region } = Stack.of(this);
    this.url = `https://${region}.console.aws.amazon.com/cloudwatch/home?region=${region}#dashboards/dashboard/${this.dashboard.dashboardName}`;
  }
}
