import { ArnFormat, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { SlackChannelConfiguration } from 'aws-cdk-lib/aws-chatbot';
import { ManagedPolicy, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
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
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription, LambdaSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { Construct } from 'constructs';
import { FUNCTION_SETTINGS, type FunctionAssets } from './function-settings.ts';
import { secretStatements } from './network.ts';

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

/**
 * Whom the alarms tell. Each receiver can be left out.
 * The topic exists without receivers too, for subscriptions of one's own.
 */
export interface AlarmReceivers {
  /** Mail addresses. Each must first confirm the mail that SNS sends it. */
  readonly email?: readonly string[];
  /**
   * A Slack channel that AWS Chatbot posts to.
   * The workspace must have been authorized once in the console of AWS Chatbot.
   */
  readonly slack?: { readonly workspaceId: string; readonly channelId: string } | undefined;
  /** A secret whose string is the address of a Slack or Discord webhook. */
  readonly webhook?: { readonly secretArn: string } | undefined;
}

export interface AlarmTopicProps {
  readonly stage: string;
  readonly receivers: AlarmReceivers;
  readonly assets: FunctionAssets;
  /**
   * ARN of the KMS key of the webhook's secret.
   * @default the account's key for Secrets Manager
   */
  readonly secretKeyArn?: string | undefined;
  readonly logRetention: RetentionDays;
}

/**
 * The topic that alarms publish to.
 * The topic has a key of its own, because CloudWatch cannot publish to a topic under the key that
 * AWS manages for SNS. Plain HTTP is refused, and nobody but the alarms of this account publishes.
 */
export class AlarmTopic extends Construct {
  readonly topic: Topic;
  readonly webhook: AlarmWebhook | undefined;

  constructor(scope: Construct, id: string, props: AlarmTopicProps) {
    super(scope, id);
    const { email = [], slack, webhook } = props.receivers;
    const key = new Key(this, 'Key', {
      description: `Freshet ${props.stage}: messages of alarms`,
      enableKeyRotation: true,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.topic = new Topic(this, 'Topic', {
      displayName: `Freshet ${props.stage}`,
      masterKey: key,
      enforceSSL: true,
    });
    this.#letAlarmsPublish(key);
    for (const address of email) this.topic.addSubscription(new EmailSubscription(address));
    if (slack !== undefined) this.#tellSlack(props.stage, slack);
    this.webhook =
      webhook === undefined
        ? undefined
        : new AlarmWebhook(this, 'Webhook', {
            topic: this.topic,
            stage: props.stage,
            secretArn: webhook.secretArn,
            secretKeyArn: props.secretKeyArn,
            code: props.assets.codeOf('notify'),
            logRetention: props.logRetention,
          });
  }

  #letAlarmsPublish(key: Key): void {
    const { account } = Stack.of(this);
    const alarms = Stack.of(this).formatArn({
      service: 'cloudwatch',
      resource: 'alarm',
      resourceName: '*',
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
    const principals = [new ServicePrincipal('cloudwatch.amazonaws.com')];
    const conditions = {
      StringEquals: { 'aws:SourceAccount': account },
      ArnLike: { 'aws:SourceArn': alarms },
    };
    this.topic.addToResourcePolicy(
      new PolicyStatement({
        sid: 'AllowAlarms',
        principals,
        actions: ['sns:Publish'],
        resources: [this.topic.topicArn],
        conditions,
      }),
    );
    // The topic's policy already says who may publish.
    // Conditions here would be judged on the call that SNS makes, and alarms that cannot publish
    // fail in silence.
    key.addToResourcePolicy(
      new PolicyStatement({
        sid: 'AllowAlarms',
        principals,
        actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
        resources: ['*'],
      }),
    );
  }

  /**
   * Subscribes a Slack channel with a role that may do nothing.
   * Chatbot passes messages on, and whoever writes to it from Slack is refused.
   */
  #tellSlack(stage: string, { workspaceId, channelId }: NonNullable<AlarmReceivers['slack']>): void {
    new SlackChannelConfiguration(this, 'Slack', {
      slackChannelConfigurationName: `freshet-${stage}-${Stack.of(this).region}`,
      slackWorkspaceId: workspaceId,
      slackChannelId: channelId,
      notificationTopics: [this.topic],
      role: new Role(this, 'SlackRole', { assumedBy: new ServicePrincipal('chatbot.amazonaws.com') }),
      guardrailPolicies: [ManagedPolicy.fromAwsManagedPolicyName('CloudWatchReadOnlyAccess')],
    });
  }
}
