import { Duration } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, Metric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';

export interface EndpointAlarmsProps {
  readonly inferenceComponentName: string;
  readonly topic?: ITopic | undefined;
}

type AlarmName = 'SlowModel' | 'EndpointErrors' | 'FullGpuMemory' | 'SlowService';

interface AlarmSettings {
  readonly namespace: string;
  readonly metricName: string;
  readonly statistic: string;
  readonly threshold: number;
  readonly description: string;
}

const INVOCATIONS = 'AWS/SageMaker';
const MICROSECONDS = 1_000_000;

/** SageMaker gives a container 60 s for an answer. It takes no percentile of the overhead. */
const ALARMS: Readonly<Record<AlarmName, AlarmSettings>> = {
  SlowModel: {
    namespace: INVOCATIONS,
    metricName: 'ModelLatency',
    statistic: 'p99',
    threshold: 30 * MICROSECONDS,
    description: 'one call in a hundred takes over 30 s, of the 60 s that SageMaker gives it',
  },
  EndpointErrors: {
    namespace: INVOCATIONS,
    metricName: 'Invocation5XXErrors',
    statistic: 'Sum',
    threshold: 0,
    description: 'the container answers 5xx, or not at all',
  },
  FullGpuMemory: {
    namespace: '/aws/sagemaker/InferenceComponents',
    metricName: 'GPUMemoryUtilizationNormalized',
    statistic: 'Maximum',
    threshold: 95,
    description: 'over 95 % of the memory of the GPU is taken: the next large batch may not fit',
  },
  SlowService: {
    namespace: INVOCATIONS,
    metricName: 'OverheadLatency',
    statistic: 'Average',
    threshold: MICROSECONDS,
    description: 'SageMaker itself adds more than a second to a call',
  },
};

/** Three bad minutes of five. An endpoint at zero has no data, and that is no trouble. */
export class EndpointAlarms extends Construct {
  readonly alarms: Readonly<Record<AlarmName, Alarm>>;

  constructor(scope: Construct, id: string, { inferenceComponentName, topic }: EndpointAlarmsProps) {
    super(scope, id);
    const create = (name: AlarmName): Alarm => {
      const { namespace, metricName, statistic, threshold, description } = ALARMS[name];
      const alarm = new Alarm(this, name, {
        alarmDescription: `Freshet endpoint ${inferenceComponentName}: ${description}.`,
        metric: new Metric({
          namespace,
          metricName,
          statistic,
          period: Duration.minutes(1),
          dimensionsMap: { InferenceComponentName: inferenceComponentName },
        }),
        threshold,
        comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
        evaluationPeriods: 5,
        datapointsToAlarm: 3,
        treatMissingData: TreatMissingData.NOT_BREACHING,
      });
      if (topic !== undefined) alarm.addAlarmAction(new SnsAction(topic));
      return alarm;
    };
    this.alarms = {
      SlowModel: create('SlowModel'),
      EndpointErrors: create('EndpointErrors'),
      FullGpuMemory: create('FullGpuMemory'),
      SlowService: create('SlowService'),
    };
  }
}
