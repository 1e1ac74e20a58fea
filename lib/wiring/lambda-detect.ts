import { createBatchStore } from '../adapters/sql/batch-store.ts';
import { readSpending } from '../adapters/sql/caps.ts';
import { readCoveragePercent } from '../adapters/sql/coverage.ts';
import { createDetectionStore } from '../adapters/sql/detection-store.ts';
import { listCaps } from '../core/budget.ts';
import { findRunMode } from '../core/config/run-modes.ts';
import type { DetectPorts } from '../pipeline/detect/detect-ports.ts';
import { toFreshetError } from '../pipeline/failures.ts';
import { readLambdaDependencies, type Wired, wireLambda } from './lambda.ts';
import { createLambdaQueues } from './lambda-clients.ts';
import { openWithDatabase } from './lambda-ports.ts';
import { createDocumentSweep } from './open-documents.ts';

export async function wireDetect(dependencies = readLambdaDependencies()): Promise<Wired<DetectPorts>> {
  return wireLambda('detect', dependencies, () =>
    openWithDatabase('detect', dependencies, ports => {
      const { settings, config, database } = ports;
      const { batchSize, maxInFlight, sliceRows } = config.limits;
      const caps = listCaps(config.budget);
      const queuedLeaseSeconds = settings.embedVisibilitySeconds * settings.maxReceiveCount;
      return {
        ...ports,
        detection: createDetectionStore(database, { caps }),
        batches: createBatchStore(database),
        ...(caps.length > 0 && { readSpending: () => readSpending(database, caps) }),
        ...(config.documents && {
          sweepDocuments: createDocumentSweep({ database, config }, error => {
            const { failureClass, code } = toFreshetError(error);
            ports.logger.warn('documents-not-swept', { failureClass, code });
          }),
        }),
        readCoveragePercent: (space, timeoutMs) => readCoveragePercent(database, space, timeoutMs),
        queues: createLambdaQueues(settings, config).dispatch,
        limits: { batchSize, maxInFlight, sliceRows, queuedLeaseSeconds },
        findMode: name => findRunMode(config.modes, name),
        runId: null,
        lock: database.tickLock,
        drainClock: ports.clock,
      };
    }),
  );
}
