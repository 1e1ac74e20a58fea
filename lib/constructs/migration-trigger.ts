import { Duration } from 'aws-cdk-lib';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { Trigger } from 'aws-cdk-lib/triggers';
import { Construct } from 'constructs';
import { FUNCTION_SETTINGS } from './function-settings.ts';

export interface MigrationTriggerProps {
  readonly migrate: LambdaFunction;
  /** What the function needs to reach the database. */
  readonly after: readonly Construct[];
  /** What must not begin on an older schema. */
  readonly before: readonly Construct[];
}

/** Runs `migrate` during the deployment, whenever its code, the configuration or its settings changed; what it refuses fails the deployment. */
export class MigrationTrigger extends Construct {
  constructor(scope: Construct, id: string, props: MigrationTriggerProps) {
    super(scope, id);
    new Trigger(this, 'Trigger', {
      handler: props.migrate,
      timeout: Duration.seconds(FUNCTION_SETTINGS.migrate.timeoutSeconds + 10),
      executeAfter: [...props.after],
      executeBefore: [...props.before],
    });
  }
}
