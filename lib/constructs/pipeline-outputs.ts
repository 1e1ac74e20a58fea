import { CfnOutput } from 'aws-cdk-lib';
import type { IAlias } from 'aws-cdk-lib/aws-lambda';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { plainAlias } from '../core/config/queue-names.ts';
import { lineOnStage, type StageAddress } from '../core/own-command.ts';
import type { AlarmTopic } from './alarm-topic.ts';
import { LANES } from './function-settings.ts';
import type { PipelineLane, QueuePair } from './queues.ts';
import type { ConsumerMappings } from './triggers.ts';

/**
 * The commands that `cdk deploy` prints for whoever runs the deployment.
 * No command changes anything without `--apply`.
 */
const PRINTED_COMMANDS = [
  { name: 'StatusCommand', words: 'status' },
  { name: 'FailuresCommand', words: 'failures' },
  { name: 'LogsCommand', words: 'logs --trouble' },
  { name: 'PauseCommand', words: 'pause' },
  { name: 'ResumeCommand', words: 'resume' },
  { name: 'RetryCommand', words: 'retry' },
  { name: 'BackfillCommand', words: 'backfill' },
  { name: 'ResetCommand', words: 'reset --all' },
] as const;

/** The pipeline, of which outputs are made. */
interface ShownPipeline extends Construct {
  readonly aliases: Readonly<Record<'operate' | 'detect' | 'guard', IAlias>>;
  readonly claimsBucket: Pick<IBucket, 'bucketName'>;
  readonly scheduleDeadLetters: Pick<IQueue, 'queueUrl'>;
  readonly lanes: readonly PipelineLane[];
  readonly resultsQueue: Pick<QueuePair, 'deadLetterQueue'>;
  readonly eventSources: ConsumerMappings;
  readonly dashboard: { readonly url: string };
  readonly alarmTopic: AlarmTopic;
  readonly service: { readonly url: string } | undefined;
}

/**
 * Makes the outputs by which people and `freshet aws` find a pipeline, in whatever stack it is.
 * The CDK puts the path of the construct before their names and a hash behind them, so that those
 * of two pipelines do not collide. docs/operations.md takes from them what its lines for the AWS
 * CLI name. Of a model there are no more than that: a stack has room for 200 outputs, and the rest
 * is asked of `operate`.
 */
export function createOutputs(
  pipeline: ShownPipeline,
  address: StageAddress,
): Readonly<Record<string, CfnOutput>> {
  const { scheduleDeadLetters, claimsBucket, aliases, dashboard, alarmTopic, service } = pipeline;
  const values: Record<string, string> = {
    OperateFunctionName: aliases.operate.functionName,
    DetectFunctionName: aliases.detect.functionName,
    GuardFunctionName: aliases.guard.functionName,
    ClaimsBucketName: claimsBucket.bucketName,
    ScheduleDeadLetterQueueUrl: scheduleDeadLetters.queueUrl,
    DashboardUrl: dashboard.url,
    AlarmTopicArn: alarmTopic.topic.topicArn,
    ...(alarmTopic.webhook !== undefined && {
      WebhookLogGroupName: alarmTopic.webhook.logGroup.logGroupName,
    }),
    ...(service !== undefined && { ServiceUrl: service.url }),
    ...outputsOfQueues(pipeline),
  };
  for (const { name, words } of PRINTED_COMMANDS) values[name] = lineOnStage(words, address);
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, new CfnOutput(pipeline, name, { value })]),
  );
}

/** The dead-letter queues that somebody may empty, and the event sources that somebody may open. */
function outputsOfQueues({ lanes, resultsQueue, eventSources }: ShownPipeline): Record<string, string> {
  const queues = lanes.map(({ alias, lane, deadLetterQueue }) => [
    `DeadLetterQueueUrl${plainAlias(alias)}${lane}`,
    deadLetterQueue.queueUrl,
  ]);
  const mappings = [...eventSources.embed].flatMap(([alias, ofAlias]) =>
    LANES.map((lane, place) => [
      `EventSourceId${plainAlias(alias)}${lane}`,
      ofAlias[place]!.eventSourceMappingId,
    ]),
  );
  return Object.fromEntries([
    ...queues,
    ['DeadLetterQueueUrlresults', resultsQueue.deadLetterQueue.queueUrl],
    ...mappings,
  ]);
}
