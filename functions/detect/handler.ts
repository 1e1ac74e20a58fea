import middy from '@middy/core';
import { parseDetectRequest } from '../../lib/pipeline/detect/detect.ts';
import { detectAlone } from '../../lib/pipeline/detect/detect-alone.ts';
import type { DetectPorts, DetectReport, DetectRequest } from '../../lib/pipeline/detect/detect-ports.ts';
import type { LambdaDependencies } from '../../lib/wiring/lambda.ts';
import { createLazyHandler, EARLY_TIMEOUT_MS, flushMetrics } from '../lambda.ts';

/**
 * Creates a handler that runs one tick of `detect`.
 * The handler throws `timeoutEarlyInMillis` before the invocation's time is over, so that its
 * metrics still go out; 0: never.
 */
export function createHandler(ports: DetectPorts, timeoutEarlyInMillis = 0) {
  return middy<DetectRequest, DetectReport>({ timeoutEarlyInMillis })
    .use(flushMetrics<DetectRequest, DetectReport>(ports.metrics))
    .handler(async (event, context) =>
      detectAlone(ports, parseDetectRequest(event), () => context.getRemainingTimeInMillis()),
    );
}

export function createLambda(dependencies?: LambdaDependencies) {
  return createLazyHandler(
    async () => {
      const { wireDetect } = await import('../../lib/wiring/lambda-detect.ts');
      return wireDetect(dependencies);
    },
    ports => createHandler(ports, EARLY_TIMEOUT_MS),
  );
}

/** What Lambda invokes. A throw counts as an error of the schedule's tick. */
export const handler = createLambda();
