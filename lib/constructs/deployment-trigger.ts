import { type CfnResource, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Trigger } from 'aws-cdk-lib/triggers';
import { Construct, type IConstruct } from 'constructs';

export interface DeploymentTriggerProps {
  readonly run: LambdaFunction;
  /** Of the function. */
  readonly timeoutSeconds: number;
  readonly logRetention: RetentionDays;
  /** What the function needs to reach the database. */
  readonly after: readonly Construct[];
  /** What must not begin before it has ended. */
  readonly before: readonly Construct[];
}

/** Where the CDK keeps, once per stack, the function that starts triggers. */
const PROVIDER = 'AWSCDK.TriggerCustomResourceProviderCustomResourceProvider';

/** Runs a function during the deployment, whenever its code, the configuration or its settings changed; what it refuses fails the deployment. */
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

/** Left alone, the provider's logs would stay for ever. */
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
