import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import { type IVpc, SecurityGroup, Vpc } from 'aws-cdk-lib/aws-ec2';
import type { Construct } from 'constructs';
import type { AwsStage } from '../core/config/aws-schema.ts';
import type { FreshetConfig } from '../core/config/config-schema.ts';
import { EmbeddingPipeline } from './embedding-pipeline.ts';
import type { FunctionAssets } from './function-assets.ts';

export interface PipelineStackProps extends StackProps {
  readonly config: FreshetConfig;
  readonly stageName: string;
  /** From the section `aws` of the parsed configuration. */
  readonly stage: AwsStage;
  readonly paused?: boolean;
  readonly assets?: FunctionAssets;
}

/** A stage of `freshet.config.ts`: the pipeline beside a network and a database that exist. */
export class PipelineStack extends Stack {
  readonly pipeline: EmbeddingPipeline;

  constructor(scope: Construct, id: string, props: PipelineStackProps) {
    const { config, stageName, stage, paused, assets, ...stackProps } = props;
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
    const { securityGroupId, iam, secretArn, secretKeyArn, ...database } = stage.database;
    this.pipeline = new EmbeddingPipeline(this, 'Pipeline', {
      config,
      stage: stageName,
      vpc: this.#importVpc(stage.vpc),
      ipv6: stage.vpc.ipv6,
      database: {
        ...database,
        ...(secretArn !== undefined && { secretArn }),
        ...(secretKeyArn !== undefined && { secretKeyArn }),
        ...(iam !== undefined && { iam }),
        securityGroup: SecurityGroup.fromSecurityGroupId(this, 'DatabaseSecurityGroup', securityGroupId, {
          mutable: false,
        }),
      },
      providerSecrets: stage.providerSecrets,
      schedules: stage.schedules,
      maxConcurrency: stage.maxConcurrency,
      logRetention: stage.logRetentionDays,
      paused: paused ?? false,
      ...(assets !== undefined && { assets }),
    });
    this.#tellPeople();
  }

  #importVpc({ vpcId, availabilityZones, privateSubnetIds, privateRouteTableIds }: AwsStage['vpc']): IVpc {
    if (availabilityZones === undefined || privateSubnetIds === undefined)
      return Vpc.fromLookup(this, 'Vpc', { vpcId });
    return Vpc.fromVpcAttributes(this, 'Vpc', {
      vpcId,
      availabilityZones,
      privateSubnetIds,
      ...(privateRouteTableIds !== undefined && { privateSubnetRouteTableIds: privateRouteTableIds }),
    });
  }

  #tellPeople(): void {
    const { embedQueues, resultsQueue, claimsBucket } = this.pipeline;
    for (const [alias, { fresh, bulk }] of embedQueues) {
      new CfnOutput(this, `FreshQueueUrl-${alias}`, { value: fresh.queueUrl });
      new CfnOutput(this, `BulkQueueUrl-${alias}`, { value: bulk.queueUrl });
    }
    new CfnOutput(this, 'ResultsQueueUrl', { value: resultsQueue.queueUrl });
    new CfnOutput(this, 'ClaimsBucketName', { value: claimsBucket.bucketName });
  }
}
