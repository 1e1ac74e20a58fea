import { type CfnResource, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Trigger } from 'aws-cdk-lib/triggers';
import { Construct, type IConstruct } from 'constructs';

export interface DeploymentTriggerProps {
  readonly run: LambdaFunction;
  /** Timeout of the function, in seconds. */
  readonly timeoutSeconds: number;
  readonly logRetention: RetentionDays;
  /** What the function needs to reach the database. */
  readonly after: readonly Construct[];
  /** What must not begin before the function has ended. */
  readonly before: readonly Construct[];
}

/** The id under which the CDK keeps, once per stack, the function that starts triggers. */
const PROVIDER = 'AWSCDK.TriggerCustomResourceProviderCustomResourceProvider';

/**
 * Runs a function during the deployment. What the function refuses fails the deployment.
 * The function runs whenever its code, the configuration or its settings changed.
 */
export class DeploymentTrigger extends Construct {
  constructor(scope: Construct, id: string, props: DeploymentTriggerProps) {
    super(scope, id);
    const trigger = new Trigger(this, 'Trigger', {
      handler: props.run,
      timeout: Duration.seconds(props.timeoutSeconds + 10),
      executeAfter: [...props.after],
      executeBefore: [...props.before],
    });
    const provider = Stack.of(this).node.findChild(PROVIDER);
    trigger.executeAfter(logGroupOf(provider, props.logRetention));
  }
}

/** Gives the provider's logs a retention. Without it the logs would stay for ever. */
function logGroupOf(provider: IConstruct, retention: RetentionDays): LogGroup {
  const existing = provider.node.tryFindChild('Logs') as LogGroup | undefined;
  if (existing !== undefined) return existing;
  const handler = provider.node.findChild('Handler') as CfnResource;
  return new LogGroup(provider as Construct, 'Logs', {
    logGroupName: `/aws/lambda/${handler.ref}`,
    retention,
    removalPolicy: RemovalPolicy.DESTROY,
  });
}
