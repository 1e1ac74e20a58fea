import { type CfnOutput, Stack, Token } from 'aws-cdk-lib';
import { SubnetType } from 'aws-cdk-lib/aws-ec2';
import type { IAlias, Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { LogGroup } from 'aws-cdk-lib/aws-logs';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Schedule } from 'aws-cdk-lib/aws-scheduler';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { listCaps } from '../core/budget.ts';
import { chooseClaimPaths } from '../core/config/aws-limits.ts';
import { DEFAULT_STAGE_SETTINGS } from '../core/config/aws-schema.ts';
import type { FreshetConfig } from '../core/config/config-schema.ts';
import { shareConcurrency } from '../core/config/connections.ts';
import { requireDeployable } from '../core/config/deployable.ts';
import { DEFAULT_MAX_CONNECTIONS } from '../core/config/deployment-settings.ts';
import { nameProviders, usedAliases } from '../core/config/pipeline-config.ts';
import { countOverlappingRuns, scheduleIntervalSeconds } from '../core/config/stages.ts';
import { AlarmTopic } from './alarm-topic.ts';
import { ClaimsBucket } from './buckets.ts';
import { bundleFunctions } from './bundling.ts';
import { resolveAuthority } from './certificate-authority.ts';
import { setDeployment } from './deployment-environment.ts';
import { allowLogs } from './encryption-keys.ts';
import { FUNCTION_SETTINGS, type FunctionAssets, type FunctionName } from './function-settings.ts';
import { type LiveFunctionName, LiveFunctions } from './live-functions.ts';
import { type PipelineDatabase, PipelineNetwork } from './network.ts';
import { FreshetMetrics, type ObservedPipeline } from './observed-pipeline.ts';
import { PipelineAlarms } from './pipeline-alarms.ts';
import { PipelineDashboard } from './pipeline-dashboard.ts';
import { PipelineFunctions } from './pipeline-functions.ts';
import { createOutputs } from './pipeline-outputs.ts';
import { type EmbeddingPipelineProps, resolveProps } from './pipeline-props.ts';
import { startStatement } from './policy-statements.ts';
import { DeadLetterQueue, type PipelineLane, PipelineQueues, type QueuePair } from './queues.ts';
import { describeSecrets, resolveSecrets } from './secrets.ts';
import { ServiceApi } from './service-api.ts';
import { claimAddress, placeOfSettings } from './stage-address.ts';
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
  EmbeddingPipelineProps,
  FreshetConfig,
  FunctionAssets,
  FunctionName,
  PipelineDatabase,
  PipelineLane,
  QueuePair,
  ScheduleName,
};

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
  /** The aliases by which the functions take events, of the version after the last migration. */
  readonly aliases: Readonly<Record<LiveFunctionName, IAlias>>;
  readonly logGroups: Readonly<Record<FunctionName, LogGroup>>;
  readonly schedules: Readonly<Record<ScheduleName, Schedule>>;
  /** Name of a source → its own schedule for edits, where it has one. */
  readonly sourceSchedules: Readonly<Record<string, Schedule>>;
  readonly eventSources: ConsumerMappings;
  readonly network: PipelineNetwork;
  /** The HTTP API for clients, with the function behind it. Undefined: there is none. */
  readonly service: ServiceApi | undefined;
  readonly dashboard: PipelineDashboard;
  readonly alarms: PipelineAlarms;
  /** The topic of the alarms, for subscriptions of one's own. */
  readonly alarmTopic: AlarmTopic;
  /** The outputs, by the names that a stack of a stage gives them. */
  readonly outputs: Readonly<Record<string, CfnOutput>>;

  constructor(scope: Construct, id: string, props: EmbeddingPipelineProps) {
    super(scope, id);
    const resolved = resolveProps(props, this.node.path);
    const { config, stage, schedules: when, sloMinutes, maxConcurrency, api } = resolved;
    const place = placeOfSettings(this);
    const address = claimAddress(this, { stage, vpc: props.endpoints === true ? props.vpc : undefined });
    const secrets = describeSecrets(props);
    const region = Stack.of(this).region;
    requireDeployable(config, {
      ...{ stage, place },
      ...(!Token.isUnresolved(region) && { region }),
      ...secrets,
      tickSeconds: scheduleIntervalSeconds(when.incremental),
      maxConcurrency,
      api,
      scheduledTicks: countTicks(when),
      maxConnections: props.database.maxConnections ?? DEFAULT_MAX_CONNECTIONS,
      schedules: when,
      sloMinutes,
    });
    const aliases = usedAliases(config);
    const models = aliases.map(alias => config.models[alias]!);
    const enabled = props.paused !== true;
    const logRetention = props.logRetention ?? DEFAULT_STAGE_SETTINGS.logRetentionDays;

    const authority = resolveAuthority(
      props.database.certificateAuthority,
      place,
      stage,
      Token.isUnresolved(region) ? undefined : region,
      Token.isUnresolved(props.database.host) ? undefined : props.database.host,
    );
    const assets = props.assets ?? bundleFunctions(props.config, authority.pem);

    const keys = props.encryptionKeys ?? {};
    allowLogs(this, keys.logs);
    const queues = new PipelineQueues(this, 'Queues', { stage, aliases, key: keys.queues });
    const claims = new ClaimsBucket(this, 'Claims', {
      key: keys.claims,
      emptied: props.removeClaims ?? false,
    });
    const scheduleDeadLetters = new DeadLetterQueue(this, 'ScheduleDeadLetters', keys.queues);
    this.network = new PipelineNetwork(this, 'Network', {
      vpc: props.vpc,
      vpcSubnets: props.vpcSubnets ?? { subnetType: SubnetType.PRIVATE_WITH_EGRESS },
      ipv6: props.ipv6 ?? false,
      endpoints: props.endpoints ?? false,
      database: props.database,
      models,
    });
    const functions = new PipelineFunctions(this, 'Functions', {
      assets,
      network: this.network,
      database: props.database,
      models,
      keySecrets: resolveSecrets(props.providerSecrets ?? {}, props.database.secretKeyArn),
      queues,
      claims: claims.bucket,
      scheduleDeadLetters: scheduleDeadLetters.queue,
      logRetention,
      encryptionKeys: keys,
    });
    this.functions = functions.functions;
    this.logGroups = functions.logGroups;
    const live = new LiveFunctions(this, 'Live', { functions: this.functions });
    this.aliases = live.aliases;
    this.service =
      api &&
      new ServiceApi(this, 'Api', {
        ...{ settings: api, assets, network: this.network, live, logRetention, encryptionKeys: keys },
        statements: [...functions.serviceStatements, startStatement(this.aliases.detect)],
        hasDocuments: config.documents !== undefined,
      });
    this.eventSources = new PipelineConsumers(this, 'Consumers', {
      embed: this.aliases.embed,
      write: this.aliases.write,
      queues,
      maxConcurrency: shareConcurrency(aliases.length, maxConcurrency),
      enabled,
    }).mappings;
    functions.grantSwitching([...this.eventSources.embed.values(), this.eventSources.write].flat());

    const schedules = new PipelineSchedules(this, 'Schedules', {
      detect: this.aliases.detect,
      guard: this.aliases.guard,
      deadLetterQueue: scheduleDeadLetters.queue,
      deadLetterKey: keys.queues,
      ...when,
      sourceNames: config.sources.map(({ name }) => name),
      enabled,
    });
    const { guard: _, ...detectSchedules } = schedules.schedules;
    setDeployment(live, {
      stage,
      database: props.database,
      certificateAuthority: authority.settings,
      queues,
      claims: claims.bucket,
      keySecrets: secrets.providerSecrets,
      consumers: this.eventSources,
      bulkEnvironments: shareConcurrency(aliases.length, maxConcurrency).bulk,
      detectSchedules: [...Object.values(detectSchedules), ...Object.values(schedules.sourceSchedules)],
      api: this.service && {
        alias: this.service.alias,
        claims: chooseClaimPaths(config, api ?? {}),
        nudges: enabled,
      },
    });
    new DeploymentTrigger(this, 'Migration', {
      run: this.functions.migrate,
      timeoutSeconds: FUNCTION_SETTINGS.migrate.timeoutSeconds,
      logRetention,
      logKey: keys.logs,
      after: [this.network],
      before: [...Object.values(this.aliases), ...(this.service ? [this.service.alias] : []), schedules],
    });

    this.schedules = schedules.schedules;
    this.sourceSchedules = schedules.sourceSchedules;
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
      sloSeconds: sloMinutes * 60,
      tickSeconds: scheduleIntervalSeconds(when.incremental),
      caps: listCaps(config.budget),
      inferenceComponentName: props.inferenceComponentName,
      service: this.service,
    };
    this.dashboard = new PipelineDashboard(this, 'Overview', observed);
    this.alarmTopic = new AlarmTopic(this, 'AlarmTopic', {
      address,
      receivers: props.alarms ?? {},
      assets,
      secretKeyArn: props.database.secretKeyArn,
      logRetention,
      encryptionKeys: keys,
    });
    this.alarms = new PipelineAlarms(this, 'Alarms', {
      address,
      observed,
      topic: this.alarmTopic.topic,
      webhook: this.alarmTopic.webhook?.function,
      budgetUsd: props.alarms?.budgetUsd,
      enabled,
    });
    this.outputs = createOutputs(this, address);
  }
}

/** Ticks of `detect` that can run at the same time, of all schedules together. */
function countTicks(when: Parameters<typeof detectExpressions>[0]): number {
  const { timeoutSeconds } = FUNCTION_SETTINGS.detect;
  return detectExpressions(when).reduce(
    (sum, expression) => sum + countOverlappingRuns(expression, timeoutSeconds),
    0,
  );
}
