import type { PauseReason } from '../../ports/control-store.ts';
import { describeFailure } from '../describe-failure.ts';
import type { GuardPorts, GuardState } from './guard-ports.ts';

const INTERVAL_SECONDS = 60;

/**
 * Lifts the pause of the database once the database takes writes again.
 * `write` set the reason and is closed, so that nobody else would find out. What shows that writes
 * are taken are the claim, which is a write, the rights on every table of ours, and new rows that
 * are taken back. Where only a real result meets the fault, `write` sets the reason again.
 */
export async function probeDatabase(
  { logger, metrics }: GuardPorts,
  { control, probes, requireWrites }: GuardState,
  reasons: readonly PauseReason[],
): Promise<void> {
  const pause = reasons.find(({ scope, reason }) => scope === 'pipeline' && reason === 'database');
  if (pause === undefined) return;
  try {
    if (!(await probes.claim(pause.scope, pause.reason, INTERVAL_SECONDS))) return;
    metrics.count('Probes', 1);
    await requireWrites();
    await control.resume(pause.scope, pause.reason);
    logger.info('database-takes-writes-again');
  } catch (error) {
    const { failureClass, code } = describeFailure(error);
    logger.warn('database-probe-failed', { failureClass, code });
  }
}
