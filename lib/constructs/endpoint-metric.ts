import { Duration } from 'aws-cdk-lib';
import { Metric, type MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import { ENDPOINT_METRICS, type EndpointMetricName } from '../core/metrics/endpoint-metrics.ts';

/** A metric of SageMaker about an inference component. */
export function endpointMetric(
  inferenceComponentName: string,
  name: EndpointMetricName,
  options: MetricOptions,
): Metric {
  return new Metric({
    namespace: ENDPOINT_METRICS[name].namespace,
    metricName: name,
    period: Duration.minutes(1),
    dimensionsMap: { InferenceComponentName: inferenceComponentName },
    ...options,
  });
}
