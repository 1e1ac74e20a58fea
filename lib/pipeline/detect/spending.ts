import { PIPELINE_SCOPE } from '../../core/control.ts';
import { describeFailure } from '../failures.ts';
import type { DetectPorts } from './detect-ports.ts';

/**
 * Emits how much of each cap is spent, and what was spent today where that has a cap.
 * The highest percentage is what the alarm watches. It seldom comes to 100: the call that would go
 * beyond a cap is not made, and the pause that it leaves is what says that a cap is reached. A
 * failed reading must not keep a tick from its work.
 */
export async function emitSpending({ readSpending, metrics, logger }: DetectPorts): Promise<void> {
  if (readSpending === undefined) return;
  try {
    for (const { scope, period, capUsd, spentUsd } of await readSpending()) {
      metrics.count('CapPercent', capUsd > 0 ? (100 * spentUsd) / capUsd : 100);
      if (scope === PIPELINE_SCOPE && period === 'day') metrics.count('SpentTodayUsd', spentUsd);
    }
  } catch (error) {
    const { code, failureClass } = describeFailure(error);
    logger.warn('spending-not-measured', { code, failureClass });
  }
}
