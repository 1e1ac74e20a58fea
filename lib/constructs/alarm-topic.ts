import { ArnFormat, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { SlackChannelConfiguration } from 'aws-cdk-lib/aws-chatbot';
import { ManagedPolicy, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import type { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { type ITopic, Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription, LambdaSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { Construct } from 'constructs';
import { type StageAddress, stackNameOf } from '../core/own-command.ts';
import type { EncryptionKeys } from './encryption-keys.ts';
import type { FunctionAssets } from './function-settings.ts';
import { HandlerFunction } from './handler-function.ts';
import { type ReadSecret, secretStatements } from './secrets.ts';

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
  readonly webhook?: ReadSecret | undefined;
  /**
   * A topic of one's own, in place of one of the construct's. Its policy, and that of its key, must
   * let CloudWatch publish.
   */
  readonly topic?: ITopic | undefined;
}

interface AlarmTopicProps {
  readonly address: StageAddress;
  readonly receivers: AlarmReceivers;
  readonly assets: FunctionAssets;
  /**
   * ARN of the KMS key of the webhook's secret, where the webhook names none.
   * @default the account's key for Secrets Manager
   */
  readonly secretKeyArn?: string | undefined;
  readonly logRetention: RetentionDays;
  readonly encryptionKeys?: EncryptionKeys | undefined;
}

/**
 * The topic that alarms publish to.
 * The topic has a key of its own, because CloudWatch cannot publish to a topic under the key that
 * AWS manages for SNS. Plain HTTP is refused, and nobody but the alarms of this account publishes.
 */
export class AlarmTopic extends Construct {
  readonly topic: ITopic;
  /** The function that posts to the webhook; undefined: there is no webhook. */
  readonly webhook: HandlerFunction | undefined;

  constructor(scope: Construct, id: string, props: AlarmTopicProps) {
    super(scope, id);
    const { email = [], slack, webhook, topic } = props.receivers;
    this.topic = topic ?? this.#createTopic(props.address.stage);
    for (const address of new Set(email)) {
      // A topic of one's own may tell it already, as where two pipelines share topic and address.
      if (this.topic.node.tryFindChild(address) === undefined)
        this.topic.addSubscription(new EmailSubscription(address));
    }
    if (slack !== undefined) this.#subscribeSlack(props.address, slack);
    this.webhook = webhook && this.#createWebhook(webhook, props);
  }

  #createTopic(stage: string): Topic {
    const key = new Key(this, 'Key', {
      description: `Freshet ${stage}: messages of alarms`,
      enableKeyRotation: true,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const topic = new Topic(this, 'Topic', {
      displayName: `Freshet ${stage}`,
      masterKey: key,
      enforceSSL: true,
    });
    this.#allowAlarms(topic, key);
    return topic;
  }

  /** Allows the alarms of this account, and nobody else, to publish to the topic. */
  #allowAlarms(topic: Topic, key: Key): void {
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
    topic.addToResourcePolicy(
      new PolicyStatement({
        sid: 'AllowAlarms',
        principals,
        actions: ['sns:Publish'],
        resources: [topic.topicArn],
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
  #subscribeSlack(
    { stage, stack }: StageAddress,
    { workspaceId, channelId }: NonNullable<AlarmReceivers['slack']>,
  ): void {
    const name = stack === undefined ? stackNameOf(stage) : `${stack}-${stage}`;
    new SlackChannelConfiguration(this, 'Slack', {
      slackChannelConfigurationName: `${name}-${Stack.of(this).region}`,
      slackWorkspaceId: workspaceId,
      slackChannelId: channelId,
      notificationTopics: [this.topic],
      role: new Role(this, 'SlackRole', { assumedBy: new ServicePrincipal('chatbot.amazonaws.com') }),
      guardrailPolicies: [ManagedPolicy.fromAwsManagedPolicyName('CloudWatchReadOnlyAccess')],
    });
  }

  /**
   * Creates the function that posts what the topic says to a webhook.
   * The function runs outside the VPC, because a broken network is one of the things that alarms
   * tell.
   */
  #createWebhook(secret: ReadSecret, props: AlarmTopicProps): HandlerFunction {
    const { assets, logRetention, encryptionKeys } = props;
    const { secretArn, secretKeyArn = props.secretKeyArn } = secret;
    const { stage } = props.address;
    const webhook = new HandlerFunction(this, 'Webhook', {
      name: 'notify',
      code: assets.codeOf('notify'),
      logRetention,
      encryptionKeys,
      statements: secretStatements(this, [{ secretArn, secretKeyArn }]),
      environment: {
        FRESHET_WEBHOOK: Stack.of(this).toJsonString({ stage, region: Stack.of(this).region, secretArn }),
      },
      onFailure: { retryAttempts: 2 },
    });
    this.topic.addSubscription(new LambdaSubscription(webhook.function));
    return webhook;
  }
}
