import { Stack, Token } from 'aws-cdk-lib';
import { type IVpc, type SubnetSelection, SubnetType } from 'aws-cdk-lib/aws-ec2';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Schedule } from 'aws-cdk-lib/aws-scheduler';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { DEFAULT_STAGE_SETTINGS } from '../core/config/aws-schema.ts';
import type { FreshetConfig } from '../core/config/config-schema.ts';
import { requireDeployable } from '../core/config/deployable.ts';
import { DEFAULT_MAX_CONNECTIONS } from '../core/config/deployment-settings.ts';
import { parseConfig } from '../core/config/parse-config.ts';
import { nameProviders, usedAliases } from '../core/config/pipeline-config.ts';
import { countOverlappingRuns, scheduleIntervalSeconds } from '../core/config/stages.ts';
import { type AlarmReceivers, AlarmTopic } from './alarm-topic.ts';
import { ClaimsBucket } from './buckets.ts';
import { bundleFunctions } from './bundling.ts';
import { setDeployment } from './deployment-environment.ts';
import { FUNCTION_SETTINGS, type FunctionAssets, type FunctionName } from './function-settings.ts';
import { type PipelineDatabase, PipelineNetwork } from './network.ts';
import { FreshetMetrics, type ObservedPipeline } from './observed-pipeline.ts';
import { PipelineAlarms } from './pipeline-alarms.ts';
import { PipelineDashboard } from './pipeline-dashboard.ts';
import { PipelineFunctions } from './pipeline-functions.ts';
import { DeadLetterQueue, type PipelineLane, PipelineQueues, type QueuePair } from './queues.ts';
import {
  type ConsumerMappings,
  DeploymentTrigger,
  detectExpressions,
  PipelineConsumers,
  PipelineSchedules,
  type ScheduleName,
} from './triggers.ts';

export type {
  ConsumerMappings,
  FreshetConfig,
  FunctionAssets,
  FunctionName,
  PipelineDatabase,
  PipelineLane,
  QueuePair,
  ScheduleName,
};

export interface EmbeddingPipelineProps {
  /**
   * What `freshet.config.ts` exports.
   * The section `aws` of the configuration is not read here: these props say where and how.
   */
  readonly config: FreshetConfig;
  /**
   * The network of the functions.
   * Private subnets of the VPC reach the database, AWS and the provider: by NAT, endpoints, or
   * IPv6.
   */
  readonly vpc: IVpc;
  readonly database: PipelineDatabase;
  /**
   * Name of the deployment in metrics, logs and reports.
   * @default dev
   */
  readonly stage?: string;
  /**
   * The subnets of the functions.
   * @default the private subnets with egress
   */
  readonly vpcSubnets?: SubnetSelection;
  /**
   * Lets the functions go out by IPv6.
   * @default false
   */
  readonly ipv6?: boolean;
  /**
   * Model alias → ARN of the secret whose string is the provider's key.
   * @default none
   */
  readonly providerSecrets?: Readonly<Record<string, string>>;
  /**
   * When the schedules start `detect`: `rate(…)` or `cron(…)`, with an IANA time zone.
   * @default incremental rate(5 minutes), full cron(0 3 * * ? *), timeZone UTC
   */
  readonly schedules?: { readonly incremental?: string; readonly full?: string; readonly timeZone?: string };
  /**
   * Environments at once: of each alias's two queues, and of `write`.
   * @default fresh 4, bulk 8, write 6
   */
  readonly maxConcurrency?: { readonly fresh?: number; readonly bulk?: number; readonly write?: number };
  /**
   * The promise: a changed row is embedded within this many minutes.
   * @default 15
   */
  readonly sloMinutes?: number;
  /**
   * Whom the alarms tell, and the US dollars per day above which the budget alarm goes off.
   * @default nobody, no budget
   */
  readonly alarms?: AlarmReceivers & { readonly budgetUsd?: number | undefined };
  /**
   * The inference component of SageMaker that serves a model.
   * A line of the dashboard and four of the alarms watch the component.
   * @default none
   */
  readonly inferenceComponentName?: string;
  /**
   * How long log lines stay.
   * @default 30 days
   */
  readonly logRetention?: RetentionDays;
  /**
   * Deploys schedules and event sources switched off; what is queued stays.
   * @default false
   */
  readonly paused?: boolean;
  /**
   * The code of the functions.
   * @default bundled from the sources, or the folders that an installed package brings along
   */
  readonly assets?: FunctionAssets;
}

/**
 * Keeps pgvector embeddings in step with the rows of a database that exists already.
 * The construct makes schedules that find stale rows, a `fresh` and a `bulk` queue per model, and
 * the functions between them. None of its resources holds state that cannot be found again.
 */
export class EmbeddingPipeline extends Construct {
  /** The two queues of `embed` for each model alias. Their dead letters can be redriven. */
  readonly lanes: readonly PipelineLane[];
  readonly resultsQueue: QueuePair;
  /**
   * Ticks of `detect` and `guard` that failed.
   * These ticks are not redriven: the next tick does their work.
   */
  readonly scheduleDeadLetters: Queue;
  readonly claimsBucket: Bucket;
  readonly functions: Readonly<Record<FunctionName, LambdaFunction>>;
  readonly logGroups: Readonly<Record<FunctionName, LogGroup>>;
  readonly schedules: Readonly<Record<ScheduleName, Schedule>>;
  readonly eventSources: ConsumerMappings;
  readonly network: PipelineNetwork;
  readonly dashboard: PipelineDashboard;
  readonly alarms: PipelineAlarms;
  /** The topic of the alarms, for subscriptions of one's own. */
  readonly alarmTopic: AlarmTopic;

  constructor(scope: Construct, id: string, props: EmbeddingPipelineProps) {
    super(scope, id);
    const config = parseConfig(props.config);
    const stage = props.stage ?? 'dev';
    const providerSecrets = props.providerSecrets ?? {};
    const maxConcurrency = { ...DEFAULT_STAGE_SETTINGS.maxConcurrency, ...props.maxConcurrency };
    const when = { ...DEFAULT_STAGE_SETTINGS.schedules, ...props.schedules };
    const region = Stack.of(this).region;
    requireDeployable(config, {
      stage,
      ...(!Token.isUnresolved(region) && { region }),
      providerSecrets,
      maxConcurrency,
      scheduledTicks: countTicks(when),
      maxConnections: props.database.maxConnections ?? DEFAULT_MAX_CONNECTIONS,
    });
    const aliases = usedAliases(config);
    const models = aliases.map(alias => config.models[alias]!);
    const enabled = props.paused !== true;
    const logRetention = props.logRetention ?? DEFAULT_STAGE_SETTINGS.logRetentionDays;

    const assets = props.assets ?? bundleFunctions(props.config);

    const queues = new PipelineQueues(this, 'Queues', aliases);
    const claims = new ClaimsBucket(this, 'Claims');
    const scheduleDeadLetters = new DeadLetterQueue(this, 'ScheduleDeadLetters');
    this.network = new PipelineNetwork(this, 'Network', {
      vpc: props.vpc,
      vpcSubnets: props.vpcSubnets ?? { subnetType: SubnetType.PRIVATE_WITH_EGRESS },
      ipv6: props.ipv6 ?? false,
      database: props.database,
      models,
    });
    const functions = new PipelineFunctions(this, 'Functions', {
      assets,
      network: this.network,
      database: props.database,
      models,
      keySecrets: providerSecrets,
      queues,
      claims: claims.bucket,
      scheduleDeadLetters: scheduleDeadLetters.queue,
      logRetention,
    });
    this.functions = functions.functions;
    this.logGroups = functions.logGroups;
    this.eventSources = new PipelineConsumers(this, 'Consumers', {
      embed: this.functions.embed,
      write: this.functions.write,
      queues,
      maxConcurrency,
      enabled,
    }).mappings;
    functions.grantSwitching([...this.eventSources.embed.values(), this.eventSources.write].flat());

    const schedules = new PipelineSchedules(this, 'Schedules', {
      detect: this.functions.detect,
      guard: this.functions.guard,
      deadLetterQueue: scheduleDeadLetters.queue,
      ...when,
      enabled,
    });
    const { guard: _, ...detectSchedules } = schedules.schedules;
    setDeployment(this.functions, {
      stage,
      database: props.database,
      queues,
      claims: claims.bucket,
      keySecrets: providerSecrets,
      consumers: this.eventSources,
      detectSchedules: Object.values(detectSchedules),
    });
    new DeploymentTrigger(this, 'Migration', {
      run: this.functions.migrate,
      timeoutSeconds: FUNCTION_SETTINGS.migrate.timeoutSeconds,
      logRetention,
      after: [this.network],
      before: [schedules],
    });

    this.schedules = schedules.schedules;
    this.lanes = queues.lanes;
    this.resultsQueue = queues.results;
    this.scheduleDeadLetters = scheduleDeadLetters.queue;
    this.claimsBucket = claims.bucket;

    const observed: ObservedPipeline = {
      metrics: new FreshetMetrics(stage, nameProviders(config)),
      functions: this.functions,
      lanes: this.lanes,
      resultsQueue: this.resultsQueue,
      scheduleDeadLetters: this.scheduleDeadLetters,
      sloSeconds: (props.sloMinutes ?? DEFAULT_STAGE_SETTINGS.sloMinutes) * 60,
      tickSeconds: scheduleIntervalSeconds(when.incremental),
      inferenceComponentName: props.inferenceComponentName,
    };
    this.dashboard = new PipelineDashboard(this, 'Overview', observed);
    this.alarmTopic = new AlarmTopic(this, 'AlarmTopic', {
      stage,
      receivers: props.alarms ?? {},
      assets,
      secretKeyArn: props.database.secretKeyArn,
      logRetention,
    });
    this.alarms = new PipelineAlarms(this, 'Alarms', {
      stage,
      observed,
      topic: this.alarmTopic.topic,
      webhook: this.alarmTopic.webhook?.function,
      budgetUsd: props.alarms?.budgetUsd,
      enabled,
    });
  }
}

/** Ticks of `detect` that can run at the same time, of all schedules together. */
function countTicks(when: { readonly incremental: string; readonly full: string }): number {
  const { timeoutSeconds } = FUNCTION_SETTINGS.detect;
  return detectExpressions(when).reduce(
    (sum, expression) => sum + countOverlappingRuns(expression, timeoutSeconds),
    0,
  );
}
