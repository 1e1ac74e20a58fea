import { CfnOutput, Stack, type StackProps, Validations } from 'aws-cdk-lib';
import { GatewayVpcEndpointAwsService, type IVpc, SecurityGroup, SubnetType, Vpc } from 'aws-cdk-lib/aws-ec2';
import type { Construct } from 'constructs';
import type { AwsStage, StageSettings } from '../core/config/aws-schema.ts';
import type { FreshetConfig } from '../core/config/config-schema.ts';
import { requireGpuEndpoint } from '../core/config/deployable.ts';
import { parseConfig } from '../core/config/parse-config.ts';
import { UsageError } from '../core/errors.ts';
import { lineOnStage } from '../core/own-command.ts';
import { EmbeddingPipeline } from './embedding-pipeline.ts';
import type { FunctionAssets } from './function-settings.ts';
import type { PipelineDatabase } from './network.ts';
import { placeSettings } from './stage-address.ts';

interface PipelineStackProps extends StackProps {
  readonly config: FreshetConfig;
  readonly stageName: string;
  /** The stage, from the section `aws` of the parsed configuration. */
  readonly stage: AwsStage | StageSettings;
  /** The network and the database to use in place of those that the stage names. */
  readonly dependencies?: { readonly vpc: IVpc; readonly database: PipelineDatabase };
  readonly paused?: boolean;
  readonly assets?: FunctionAssets;
}

/** A stage of `freshet.config.ts`: the pipeline beside a network and a database that exist. */
export class PipelineStack extends Stack {
  readonly pipeline: EmbeddingPipeline;

  constructor(scope: Construct, id: string, props: PipelineStackProps) {
    const { config, stageName, stage, dependencies, paused, assets, ...stackProps } = props;
    const env = {
      ...(stage.account !== undefined && { account: stage.account }),
      ...(stage.region !== undefined && { region: stage.region }),
    };
    super(scope, id, {
      env,
      description: `Freshet ${stageName}: keeps embeddings in step with rows`,
      tags: { app: 'freshet', stage: stageName, ...stage.tags },
      ...stackProps,
    });
    placeSettings(this, ['aws', 'stages', stageName]);
    const { vpc, database } = dependencies ?? this.#importDependencies(stage);
    const inferenceComponentName = nameComponent(config, stageName, stage);
    this.pipeline = new EmbeddingPipeline(this, 'Pipeline', {
      config,
      stage: stageName,
      vpc,
      ipv6: dependencies === undefined && 'vpc' in stage && stage.vpc.ipv6,
      endpoints: dependencies === undefined && 'vpc' in stage && stage.vpc.endpoints,
      database,
      providerSecrets: stage.providerSecrets,
      schedules: stage.schedules,
      maxConcurrency: stage.maxConcurrency,
      logRetention: stage.logRetentionDays,
      sloMinutes: stage.sloMinutes,
      alarms: stage.alarms,
      paused: paused ?? false,
      ...(inferenceComponentName !== undefined && { inferenceComponentName }),
      ...(assets !== undefined && { assets }),
      ...(stage.api !== undefined && { api: stage.api }),
    });
    this.#printOutputs(stageName);
  }

  #importDependencies(stage: AwsStage | StageSettings): { vpc: IVpc; database: PipelineDatabase } {
    if (!('vpc' in stage))
      throw new UsageError('A stage without vpc and database needs the example database: -c example=true.');
    const { securityGroupId, iam, secretArn, secretKeyArn, ...database } = stage.database;
    const vpc = this.#importVpc(stage.vpc);
    if (stage.vpc.s3Endpoint)
      vpc.addGatewayEndpoint('S3', {
        service: GatewayVpcEndpointAwsService.S3,
        subnets: [{ subnetType: SubnetType.PRIVATE_WITH_EGRESS }],
      });
    return {
      vpc,
      database: {
        ...database,
        ...(secretArn !== undefined && { secretArn }),
        ...(secretKeyArn !== undefined && { secretKeyArn }),
        ...(iam !== undefined && { iam }),
        ...(securityGroupId !== undefined && {
          securityGroup: SecurityGroup.fromSecurityGroupId(this, 'DatabaseSecurityGroup', securityGroupId, {
            mutable: false,
          }),
        }),
      },
    };
  }

  #importVpc({ vpcId, availabilityZones, privateSubnetIds, privateRouteTableIds }: AwsStage['vpc']): IVpc {
    if (availabilityZones === undefined || privateSubnetIds === undefined)
      return Vpc.fromLookup(this, 'Vpc', { vpcId });
    const vpc = Vpc.fromVpcAttributes(this, 'Vpc', {
      vpcId,
      availabilityZones,
      privateSubnetIds,
      ...(privateRouteTableIds !== undefined && { privateSubnetRouteTableIds: privateRouteTableIds }),
    });
    Validations.of(vpc).acknowledge({
      id: 'Annotation::@aws-cdk/aws-ec2:noSubnetRouteTableId',
      reason:
        'Only the endpoint for S3 asks for route tables, and the configuration is refused without them.',
    });
    return vpc;
  }

  /**
   * Prints what `cdk deploy` shows at its end.
   * The stack has one pipeline, whose outputs need no path in their names.
   */
  #printOutputs(stageName: string): void {
    const { lanes, resultsQueue, outputs } = this.pipeline;
    for (const [name, output] of Object.entries(outputs)) output.overrideLogicalId(name);
    const output = (name: string, value: string) => new CfnOutput(this, name, { value });
    const redrive = (queue: string) => lineOnStage(`redrive --queue ${queue}`, { stage: stageName });
    for (const { alias, lane, queue } of lanes) {
      output(`QueueUrl-${alias}-${lane}`, queue.queueUrl);
      output(`RedriveCommand-${alias}-${lane}`, redrive(`${alias}/${lane}`));
    }
    output('QueueUrl-results', resultsQueue.queue.queueUrl);
    output('RedriveCommand-results', redrive('results'));
  }
}

/**
 * The name of the inference component that the stack of the stage's GPU endpoint makes.
 * Undefined until a model is published and named. The endpoint's alarms are in this stack, because
 * the topic is here. This stack depends on the stack of the endpoint, so that the topic cannot be
 * given to that stack.
 */
function nameComponent(
  config: FreshetConfig,
  stageName: string,
  stage: AwsStage | StageSettings,
): string | undefined {
  const { gpu } = stage;
  if (gpu?.modelPrefix === undefined) return undefined;
  return requireGpuEndpoint(parseConfig(config), stageName, stage, gpu).inferenceComponentName;
}
