import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import type { AwsStage, GpuSection } from '../core/config/aws-schema.ts';
import { requireGpuEndpoint } from '../core/config/deployable.ts';
import type { PipelineConfig } from '../core/config/pipeline-config.ts';
import { FRESHET } from '../core/own-command.ts';
import { type ModelStore, WeightsBucket } from './buckets.ts';
import { EndpointScaling, TeiEndpoint } from './gpu-endpoint.ts';

interface GpuEndpointStackProps extends StackProps {
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
  readonly endpoint: TeiEndpoint | undefined;

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
        ? new WeightsBucket(this, 'Models').bucket
        : Bucket.fromBucketName(this, 'ImportedModels', gpu.modelBucket);
    this.#output('ModelBucketName', this.bucket.bucketName);
    this.#output(
      'PublishCommand',
      `${FRESHET} models publish --alias ${gpu.model} --from ./${gpu.model} --bucket ` +
        `${this.bucket.bucketName} --apply`,
    );
    if (gpu.modelPrefix === undefined) return;
    const { inferenceComponentName } = settings;
    this.endpoint = new TeiEndpoint(this, 'Gpu', {
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
    // The names are the configuration's own: what `models.<alias>` says is what was made.
    this.#output('EndpointName', settings.endpointName);
    this.#output('InferenceComponentName', inferenceComponentName);
  }

  #output(name: string, value: string): void {
    new CfnOutput(this, name, { value });
  }
}
