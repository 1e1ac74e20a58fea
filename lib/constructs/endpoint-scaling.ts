import { CfnScalableTarget, CfnScalingPolicy } from 'aws-cdk-lib/aws-applicationautoscaling';
import { CfnAlarm } from 'aws-cdk-lib/aws-cloudwatch';
import type { CfnInferenceComponent } from 'aws-cdk-lib/aws-sagemaker';
import { Construct } from 'constructs';

export interface EndpointScalingProps {
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
    if (minCopies === 0) this.#wakeUp(target, inferenceComponentName);
  }

  #wakeUp(target: CfnScalableTarget, inferenceComponentName: string): void {
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
