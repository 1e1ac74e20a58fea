import type { ServiceObserver } from '../../ports/embedding-service.ts';
import type { Metrics } from '../../ports/process.ts';
import type { ApiMetrics } from './create-app.ts';

/**
 * Counts the calls of a deployed service among the metrics of the functions.
 * What requests do is measured by the API in front. Nobody scrapes a function, so that nothing is
 * printed, and an environment that takes one request at a time has no queue to tell of.
 */
export function createDeployedMetrics(metrics: Metrics): ServiceObserver & ApiMetrics {
  const nothing = () => undefined;
  return {
    called({ texts, latencyMs, outcome }) {
      metrics.count('ProviderCalls', 1);
      metrics.count('TextsSent', texts);
      metrics.duration('ProviderLatency', latencyMs);
      if (outcome === 'ok') return;
      metrics.count('ProviderFailures', 1);
      if (outcome === 'throttled') metrics.count('ProviderThrottles', 1);
    },
    billed(_, { tokens, costUsd }) {
      metrics.count('Tokens', tokens);
      metrics.count('CostUsd', costUsd);
    },
    ...{ looked: nothing, dropped: nothing, queued: nothing, answered: nothing, failed: nothing },
  };
}
