import { CfnEndpoint, CfnEndpointConfig, CfnInferenceComponent, CfnModel } from 'aws-cdk-lib/aws-sagemaker';
import { Construct } from 'constructs';
import type { GpuSection } from '../core/config/gpu-schema.ts';
import type { GpuEndpoint as EndpointSettings } from '../core/config/require-gpu-endpoint.ts';
import { composeTeiEnvironment } from '../core/config/tei-environment.ts';
import { EndpointRole } from './endpoint-role.ts';
import type { ModelStore } from './model-bucket.ts';

export interface GpuEndpointProps {
  readonly settings: EndpointSettings;
  readonly gpu: GpuSection;
  /** The prefix of the model's objects. Ends with a slash. */
  readonly modelPrefix: string;
  readonly bucket: ModelStore;
}

export const VARIANT_NAME = 'AllTraffic';

/** The machine image of the instances. Its drivers run images of CUDA 12.2 and 12.9. */
const INFERENCE_AMI = 'al2-ami-sagemaker-inference-gpu-3-1';

/**
 * Memory of the machine, in MB, that tokenizers and loading need.
 * The weights lie on the GPU. Every instance that is offered has 16 GB.
 */
const MIN_MEMORY_MB = 8192;

const STARTUP_SECONDS = 900;

/**
 * Text Embeddings Inference on a GPU, cut off from every network.
 * The weights come from S3. One copy takes one GPU, so that copies and instances rise and fall
 * together.
 */
export class GpuEndpoint extends Construct {
  readonly endpoint: CfnEndpoint;
  readonly component: CfnInferenceComponent;

  constructor(scope: Construct, id: string, props: GpuEndpointProps) {
    super(scope, id);
    const { settings, gpu, bucket, modelPrefix } = props;
    const { role } = new EndpointRole(this, 'Role', { bucket, modelPrefix, image: settings.image });
    const model = new CfnModel(this, 'Model', {
      executionRoleArn: role.roleArn,
      enableNetworkIsolation: true,
      primaryContainer: {
        image: settings.image.uri,
        environment: composeTeiEnvironment(settings.maxTextsPerCall),
        modelDataSource: {
          s3DataSource: {
            s3Uri: bucket.s3UrlForObject(modelPrefix),
            s3DataType: 'S3Prefix',
            compressionType: 'None',
          },
        },
      },
    });
    // SageMaker tries the rights when the model is made, not when the model is used.
    model.node.addDependency(role);
    this.endpoint = this.#createEndpoint(settings, gpu, role.roleArn);
    this.component = new CfnInferenceComponent(this, 'Component', {
      inferenceComponentName: settings.inferenceComponentName,
      endpointName: this.endpoint.attrEndpointName,
      variantName: VARIANT_NAME,
      specification: {
        modelName: model.attrModelName,
        computeResourceRequirements: {
          numberOfAcceleratorDevicesRequired: 1,
          minMemoryRequiredInMb: MIN_MEMORY_MB,
        },
        startupParameters: {
          modelDataDownloadTimeoutInSeconds: STARTUP_SECONDS,
          containerStartupHealthCheckTimeoutInSeconds: STARTUP_SECONDS,
        },
      },
      // A component cannot be made without a copy.
      // Scaling takes the first copy away when nobody asks.
      runtimeConfig: { copyCount: Math.max(1, gpu.minCopies) },
    });
  }

  #createEndpoint(settings: EndpointSettings, gpu: GpuSection, executionRoleArn: string): CfnEndpoint {
    const config = new CfnEndpointConfig(this, 'Config', {
      executionRoleArn,
      enableNetworkIsolation: true,
      productionVariants: [
        {
          variantName: VARIANT_NAME,
          instanceType: gpu.instanceType,
          initialInstanceCount: Math.max(1, gpu.minCopies),
          inferenceAmiVersion: INFERENCE_AMI,
          managedInstanceScaling: {
            status: 'ENABLED',
            minInstanceCount: gpu.minCopies,
            maxInstanceCount: gpu.maxCopies,
          },
          routingConfig: { routingStrategy: 'LEAST_OUTSTANDING_REQUESTS' },
          modelDataDownloadTimeoutInSeconds: STARTUP_SECONDS,
          containerStartupHealthCheckTimeoutInSeconds: STARTUP_SECONDS,
        },
      ],
    });
    return new CfnEndpoint(this, 'Endpoint', {
      endpointName: settings.endpointName,
      endpointConfigName: config.attrEndpointConfigName,
    });
  }
}
