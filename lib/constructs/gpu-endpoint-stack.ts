import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import type { AwsStage, GpuSection } from '../core/config/aws-schema.ts';
import {
  type GpuEndpointSettings as EndpointSettings,
  requireGpuEndpoint,
} from '../core/config/deployable.ts';
import type { PipelineConfig } from '../core/config/pipeline-config.ts';
import { ModelBucket, type ModelStore } from './buckets.ts';
import { EndpointScaling, GpuEndpoint } from './gpu-endpoint.ts';

export interface GpuEndpointStackProps extends StackProps {
  readonly config: PipelineConfig;
  readonly stageName: string;
  readonly stage: Pick<AwsStage, 'account' | 'region' | 'tags'>;
  readonly gpu: GpuSection;
}

/**
 * The optional GPU endpoint of a stage, in a stack of its own.
 * The endpoint is dear and slow to come up, and none of the pipeline's resources depends on it.
 * Until a model is published and named, the stack is only the bucket to publish into. The alarms of
 * the endpoint are in the pipeline's stack, whose topic tells people.
 */
export class GpuEndpointStack extends Stack {
  readonly bucket: ModelStore;
  /** Undefined until `gpu.modelPrefix` names a model. */
  readonly endpoint: GpuEndpoint | undefined;

  constructor(scope: Construct, id: string, props: GpuEndpointStackProps) {
    const { config, stageName, stage, gpu, ...stackProps } = props;
    const settings = requireGpuEndpoint(config, stageName, stage, gpu);
    super(scope, id, {
      env: { region: settings.region, ...(stage.account !== undefined && { account: stage.account }) },
      description: `Freshet ${stageName}: an embedding model on a GPU`,
      tags: { app: 'freshet', stage: stageName, ...stage.tags },
      ...stackProps,
    });
    this.bucket =
      gpu.modelBucket === undefined
        ? new ModelBucket(this, 'Models').bucket
        : Bucket.fromBucketName(this, 'ImportedModels', gpu.modelBucket);
    this.#tell('ModelBucketName', this.bucket.bucketName);
    this.#tell(
      'PublishCommand',
      `npm run freshet -- models publish --alias ${gpu.model} --from ./${gpu.model} --bucket ${this.bucket.bucketName} --apply`,
    );
    if (gpu.modelPrefix === undefined) return;
    const { inferenceComponentName } = settings;
    this.endpoint = new GpuEndpoint(this, 'Gpu', {
      settings,
      gpu,
      modelPrefix: gpu.modelPrefix,
      bucket: this.bucket,
    });
    new EndpointScaling(this, 'Scaling', {
      component: this.endpoint.component,
      inferenceComponentName,
      minCopies: gpu.minCopies,
      maxCopies: gpu.maxCopies,
      callsPerCopy: gpu.callsPerCopy,
    });
    this.#tellNames(settings);
  }

  /**
   * Prints the names of endpoint and component.
   * The names are the configuration's own: what `models.<alias>` says is what was made.
   */
  #tellNames({ endpointName, inferenceComponentName }: EndpointSettings): void {
    this.#tell('EndpointName', endpointName);
    this.#tell('InferenceComponentName', inferenceComponentName);
  }

  #tell(name: string, value: string): void {
    new CfnOutput(this, name, { value });
  }
}
