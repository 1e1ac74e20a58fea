import middy from '@middy/core';
import { guardPipeline } from '../../lib/pipeline/guard/guard-pipeline.ts';
import type { GuardPorts, GuardReport } from '../../lib/pipeline/guard/guard-ports.ts';
import { parseGuardRequest } from '../../lib/pipeline/guard/parse-guard-request.ts';
import type { LambdaSurroundings } from '../../lib/wiring/lambda-surroundings.ts';
import { EARLY_TIMEOUT_MS, flushMetrics } from '../middleware/flush-metrics.ts';
import { lazilyWired } from '../middleware/lazily-wired.ts';

export function createHandler(ports: GuardPorts) {
  return middy<unknown, GuardReport>({ timeoutEarlyInMillis: EARLY_TIMEOUT_MS })
    .use(flushMetrics<unknown, GuardReport>(ports.metrics))
    .handler(async (event, context) =>
      guardPipeline(ports, parseGuardRequest(event, Object.keys(ports.mappings.embed)), () =>
        context.getRemainingTimeInMillis(),
      ),
    );
}

export function createLambda(surroundings?: LambdaSurroundings) {
  return lazilyWired(async () => {
    const { wireGuard } = await import('../../lib/wiring/lambda-guard.ts');
    return wireGuard(surroundings);
  }, createHandler);
}

/** What Lambda invokes, from a schedule, an alarm or an operator. */
export const handler = createLambda();
