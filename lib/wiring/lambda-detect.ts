import { readCoveragePercent } from '../adapters/sql/coverage.ts';
import { createDetectionStore } from '../adapters/sql/detection-store.ts';
import type { DetectPorts } from '../pipeline/detect/detect-ports.ts';
import type { LambdaDependencies } from './lambda.ts';
import { type Wired, wireLambda } from './lambda.ts';
import { createLambdaQueues } from './lambda-clients.ts';
import { openWithDatabase } from './lambda-parts.ts';

export async function wireDetect(surroundings?: LambdaDependencies): Promise<Wired<DetectPorts>> {
  return wireLambda('detect', surroundings, given =>
    openWithDatabase('detect', given, parts => {
      const { settings, config, database } = parts;
      const { batchSize, maxInFlight, sliceRows } = config.limits;
      const queuedLeaseSeconds = settings.embedVisibilitySeconds * settings.maxReceiveCount;
      return {
        ...parts,
        detection: createDetectionStore(database),
        readCoveragePercent: (space, timeoutMs) => readCoveragePercent(database, space, timeoutMs),
        queues: createLambdaQueues(settings, config).dispatch,
        limits: { batchSize, maxInFlight, sliceRows, queuedLeaseSeconds },
        runId: null,
        lock: database.tickLock,
      };
    }),
  );
}
