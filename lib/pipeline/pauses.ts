import {
  DATABASE_PAUSE,
  modelScope,
  ORPHANS_CONFIRMED,
  PIPELINE_SCOPE,
  providerPause,
  scopesOf,
  sourceScope,
} from '../core/control.ts';
import { FreshetError } from '../core/errors.ts';
import type { Space } from '../core/model.ts';
import type { ControlStore, PauseReason } from '../ports/control-store.ts';
import type { Logger, Metrics, RunObserver } from '../ports/process.ts';
import { describeFailure } from './failures.ts';

interface PausePorts {
  readonly control: ControlStore;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly observer?: RunObserver | undefined;
}

/**
 * Finds every reason why work on the space must not go on.
 * The reasons are those of the space's model, of its source and of the whole pipeline.
 */
export async function findPauseReasons(control: ControlStore, space: Space): Promise<readonly PauseReason[]> {
  const scopes = scopesOf(space);
  const reasons = await control.reasons();
  return reasons.filter(({ scope, reason }) => scopes.includes(scope) && reason !== ORPHANS_CONFIRMED);
}

/**
 * Pauses a model whose provider said stop.
 * The guard probes the model from then on, and clears the pause when the provider answers again.
 */
export async function pauseModel(ports: PausePorts, alias: string, failure: FreshetError): Promise<void> {
  const scope = modelScope(alias);
  ports.metrics.count('ModelPauses', 1);
  ports.logger.error('model-paused', { scope, code: failure.code });
  ports.observer?.paused(scope, describeFailure(failure));
  await ports.control.pause(scope, providerPause(failure.code), failure.message);
}

/**
 * Pauses a source whose table the application changed under work in hand.
 * The other sources go on. `detect` lifts the pause once the table is mended.
 */
export async function pauseSource(ports: PausePorts, space: Space, fault: FreshetError): Promise<void> {
  ports.metrics.count('SourceFaults', 1);
  ports.logger.error('source-fault', { spaceId: space.spaceId, source: space.source.name, code: fault.code });
  await ports.control.pause(sourceScope(space.source.name), fault.code, fault.message);
}

/**
 * Pauses the whole pipeline when the database said stop. Never rejects.
 * What cannot be written must not be bought. Failures of another class pause nothing.
 */
export async function pauseForDatabase(ports: Omit<PausePorts, 'metrics'>, error: unknown): Promise<void> {
  if (!(error instanceof FreshetError) || error.failureClass !== 'stop') return;
  ports.observer?.paused(PIPELINE_SCOPE, describeFailure(error));
  try {
    await ports.control.pause(PIPELINE_SCOPE, DATABASE_PAUSE, error.message);
  } catch (pauseError) {
    ports.logger.error('pause-not-stored', { code: error.code, cause: describeFailure(pauseError).code });
  }
}
