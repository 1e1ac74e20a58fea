import middy from '@middy/core';
import type { DetectPorts, DetectReport, DetectRequest } from '../../lib/pipeline/detect/detect-ports.ts';
import { detectStaleRows } from '../../lib/pipeline/detect/detect-stale-rows.ts';
import { parseDetectRequest } from '../../lib/pipeline/detect/parse-detect-request.ts';
import { flushMetrics } from '../middleware/flush-metrics.ts';

export function createHandler(ports: DetectPorts) {
  return middy<DetectRequest, DetectReport>()
    .use(flushMetrics<DetectRequest, DetectReport>(ports.metrics))
    .handler(async (event, context) =>
      detectStaleRows(ports, parseDetectRequest(event), () => context.getRemainingTimeInMillis()),
    );
}
