import middy from '@middy/core';
import { guardPipeline, parseGuardRequest } from '../../lib/pipeline/guard/guard.ts';
import type { GuardPorts, GuardReport } from '../../lib/pipeline/guard/guard-ports.ts';
import type { LambdaDependencies } from '../../lib/wiring/lambda.ts';
import { createLazyHandler, EARLY_TIMEOUT_MS, flushMetrics } from '../lambda.ts';

export function createHandler(ports: GuardPorts) {
  return middy<unknown, GuardReport>({ timeoutEarlyInMillis: EARLY_TIMEOUT_MS })
    .use(flushMetrics<unknown, GuardReport>(ports.metrics))
    .handler(async (event, context) =>
      guardPipeline(ports, parseGuardRequest(event, Object.keys(ports.mappings.embed)), () =>
        context.getRemainingTimeInMillis(),
      ),
    );
}

export function createLambda(dependencies?: LambdaDependencies) {
  return createLazyHandler(async () => {
    const { wireGuard } = await import('../../lib/wiring/lambda-guard.ts');
    return wireGuard(dependencies);
  }, createHandler);
}

/** What Lambda invokes, from a schedule, an alarm or an operator. */
export const handler = createLambda();
