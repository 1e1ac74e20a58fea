import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import {
  ApplicationLogLevel,
  Architecture,
  type Code,
  Function as LambdaFunction,
  LoggingFormat,
  Runtime,
  SystemLogLevel,
} from 'aws-cdk-lib/aws-lambda';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Topic } from 'aws-cdk-lib/aws-sns';
import { LambdaSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { Construct } from 'constructs';
import { secretStatements } from './database-access.ts';
import { FUNCTION_SETTINGS } from './function-settings.ts';

export interface AlarmWebhookProps {
  readonly topic: Topic;
  readonly stage: string;
  readonly secretArn: string;
  readonly secretKeyArn?: string | undefined;
  readonly code: Code;
  readonly logRetention: RetentionDays;
}

/**
 * The function that posts what the topic says to a webhook.
 * The function runs outside the VPC, because a broken network is one of the things that alarms
 * tell.
 */
export class AlarmWebhook extends Construct {
  readonly function: LambdaFunction;
  readonly logGroup: LogGroup;

  constructor(scope: Construct, id: string, props: AlarmWebhookProps) {
    super(scope, id);
    const logGroup = new LogGroup(this, 'Logs', {
      retention: props.logRetention,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.logGroup = logGroup;
    const role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    role.addToPolicy(
      new PolicyStatement({
        actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
        resources: [logGroup.logGroupArn],
      }),
    );
    for (const statement of secretStatements(this, [props.secretArn], props.secretKeyArn))
      role.addToPolicy(statement);
    this.function = new LambdaFunction(this, 'Function', {
      description: `Freshet notify: ${FUNCTION_SETTINGS.notify.description}`,
      code: props.code,
      handler: 'index.handler',
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize: FUNCTION_SETTINGS.notify.memoryMb,
      timeout: Duration.seconds(FUNCTION_SETTINGS.notify.timeoutSeconds),
      role,
      logGroup,
      loggingFormat: LoggingFormat.JSON,
      applicationLogLevelV2: ApplicationLogLevel.INFO,
      systemLogLevelV2: SystemLogLevel.INFO,
      environment: {
        NODE_OPTIONS: '--enable-source-maps',
        FRESHET_WEBHOOK: Stack.of(this).toJsonString({
          stage: props.stage,
          region: Stack.of(this).region,
          secretArn: props.secretArn,
        }),
      },
      retryAttempts: 2,
    });
    props.topic.addSubscription(new LambdaSubscription(this.function));
  }
}
