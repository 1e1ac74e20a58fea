import { ArnFormat, Stack } from 'aws-cdk-lib';
import { CfnScalableTarget, CfnScalingPolicy } from 'aws-cdk-lib/aws-applicationautoscaling';
import { CfnAlarm } from 'aws-cdk-lib/aws-cloudwatch';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { CfnEndpoint, CfnEndpointConfig, CfnInferenceComponent, CfnModel } from 'aws-cdk-lib/aws-sagemaker';
import { Construct } from 'constructs';
import type { GpuSection } from '../core/config/aws-schema.ts';
import type { GpuEndpointSettings as EndpointSettings } from '../core/config/deployable.ts';
import { composeTeiEnvironment, type TeiImage } from '../core/gpu-endpoint.ts';
import { acknowledgeResource } from './acknowledge.ts';
import type { ModelStore } from './buckets.ts';

interface TeiEndpointProps {
  readonly settings: EndpointSettings;
  readonly gpu: GpuSection;
  /** The prefix of the model's objects. Ends with a slash. */
  readonly modelPrefix: string;
  readonly bucket: ModelStore;
}

const VARIANT_NAME = 'AllTraffic';

/** The machine image of the instances. Its drivers run images of CUDA 12.2 and 12.9. */
const INFERENCE_AMI = 'al2-ami-sagemaker-inference-gpu-3-1';

/**
 * Memory of the machine, in MB, that tokenizers and loading need.
 * The weights lie on the GPU. Every instance that is offered has 16 GB.
 */
const MIN_MEMORY_MB = 8192;

/** Seconds that a copy may take to load the weights, and to answer for the first time. */
const STARTUP_SECONDS = 900;

/**
 * Text Embeddings Inference on a GPU, cut off from every network.
 * The weights come from S3. One copy takes one GPU, so that copies and instances rise and fall
 * together.
 */
export class TeiEndpoint extends Construct {
  readonly endpoint: CfnEndpoint;
  readonly component: CfnInferenceComponent;

  constructor(scope: Construct, id: string, props: TeiEndpointProps) {
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

interface EndpointRoleProps {
  readonly bucket: ModelStore;
  /** The prefix of the model's objects. Ends with a slash. */
  readonly modelPrefix: string;
  readonly image: TeiImage;
}

/**
 * The role by which SageMaker works for the endpoint.
 * SageMaker pulls one image, reads one model, and writes logs and metrics.
 */
class EndpointRole extends Construct {
  readonly role: Role;

  constructor(scope: Construct, id: string, { bucket, modelPrefix, image }: EndpointRoleProps) {
    super(scope, id);
    const { account, region, partition } = Stack.of(this);
    this.role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('sagemaker.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': account } },
      }),
      description: 'Freshet: what SageMaker does for the embedding endpoint',
    });
    const logGroups = Stack.of(this).formatArn({
      service: 'logs',
      resource: 'log-group',
      resourceName: '/aws/sagemaker/*',
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
    const objects = bucket.arnForObjects(`${modelPrefix}*`);
    const statements = [
      new PolicyStatement({
        actions: ['s3:GetObject'],
        resources: [objects],
      }),
      new PolicyStatement({
        actions: ['s3:ListBucket'],
        resources: [bucket.bucketArn],
        conditions: { StringLike: { 's3:prefix': `${modelPrefix}*` } },
      }),
      new PolicyStatement({
        actions: ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
        resources: [`arn:${partition}:ecr:${region}:${image.account}:repository/${image.repository}`],
      }),
      new PolicyStatement({ actions: ['ecr:GetAuthorizationToken'], resources: ['*'] }),
      new PolicyStatement({
        actions: [
          'logs:CreateLogGroup',
          'logs:CreateLogStream',
          'logs:DescribeLogStreams',
          'logs:PutLogEvents',
        ],
        resources: [logGroups],
      }),
      new PolicyStatement({
        actions: ['cloudwatch:PutMetricData'],
        resources: ['*'],
        conditions: {
          StringEquals: {
            'cloudwatch:namespace': [
              'AWS/SageMaker',
              '/aws/sagemaker/Endpoints',
              '/aws/sagemaker/InferenceComponents',
            ],
          },
        },
      }),
    ];
    for (const statement of statements) this.role.addToPolicy(statement);
    acknowledgeResource(
      this.role,
      objects,
      'All objects under the digest of the one model; SageMaker lists and reads them.',
    );
    acknowledgeResource(this.role, logGroups, 'SageMaker names the log groups of its endpoints itself.');
    acknowledgeResource(
      this.role,
      '*',
      'A token of the registry and metrics have no resource to name; the metrics are bound to three ' +
        'namespaces.',
    );
  }
}

interface EndpointScalingProps {
  readonly component: CfnInferenceComponent;
  readonly inferenceComponentName: string;
  readonly minCopies: number;
  readonly maxCopies: number;
  readonly callsPerCopy: number;
}

const DIMENSION = 'sagemaker:inference-component:DesiredCopyCount';

/**
 * Seconds after the last change of copies before copies are taken away.
 * A copy that has just come or gone is given time to show in the metric.
 */
const SCALE_IN_COOLDOWN_SECONDS = 300;
const SCALE_OUT_COOLDOWN_SECONDS = 60;

/**
 * Scales the copies of the model with the calls in flight.
 * Target tracking adds copies and takes all of them away, but cannot leave zero, because nothing is
 * measured there. An alarm on the first call that fails for want of a copy leaves zero.
 */
export class EndpointScaling extends Construct {
  constructor(scope: Construct, id: string, props: EndpointScalingProps) {
    super(scope, id);
    const { component, inferenceComponentName, minCopies, maxCopies, callsPerCopy } = props;
    const target = new CfnScalableTarget(this, 'Target', {
      serviceNamespace: 'sagemaker',
      scalableDimension: DIMENSION,
      resourceId: `inference-component/${inferenceComponentName}`,
      minCapacity: minCopies,
      maxCapacity: maxCopies,
    });
    target.addResourceDependency(component);
    new CfnScalingPolicy(this, 'FollowCalls', {
      policyName: `${inferenceComponentName}-follow-calls`,
      policyType: 'TargetTrackingScaling',
      scalingTargetId: target.ref,
      targetTrackingScalingPolicyConfiguration: {
        targetValue: callsPerCopy,
        predefinedMetricSpecification: {
          predefinedMetricType: 'SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution',
        },
        scaleInCooldown: SCALE_IN_COOLDOWN_SECONDS,
        scaleOutCooldown: SCALE_OUT_COOLDOWN_SECONDS,
      },
    });
    if (minCopies === 0) this.#createWakeAlarm(target, inferenceComponentName);
  }

  /** Creates the alarm that starts the first copy when a call finds none. */
  #createWakeAlarm(target: CfnScalableTarget, inferenceComponentName: string): void {
    const policy = new CfnScalingPolicy(this, 'LeaveZero', {
      policyName: `${inferenceComponentName}-leave-zero`,
      policyType: 'StepScaling',
      scalingTargetId: target.ref,
      stepScalingPolicyConfiguration: {
        adjustmentType: 'ChangeInCapacity',
        metricAggregationType: 'Maximum',
        cooldown: SCALE_OUT_COOLDOWN_SECONDS,
        stepAdjustments: [{ metricIntervalLowerBound: 0, scalingAdjustment: 1 }],
      },
    });
    new CfnAlarm(this, 'CalledAtZero', {
      alarmDescription: `Wakes ${inferenceComponentName}: it was called while no copy ran. It pages nobody.`,
      namespace: 'AWS/SageMaker',
      metricName: 'NoCapacityInvocationFailures',
      dimensions: [{ name: 'InferenceComponentName', value: inferenceComponentName }],
      statistic: 'Sum',
      period: 60,
      evaluationPeriods: 1,
      datapointsToAlarm: 1,
      threshold: 1,
      comparisonOperator: 'GreaterThanOrEqualToThreshold',
      treatMissingData: 'notBreaching',
      alarmActions: [policy.ref],
    });
  }
}
