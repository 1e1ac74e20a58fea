import type { RunResult } from '../../lib/local/run-locally.ts';
import { formatCoverage } from './format-coverage.ts';
import { formatCount, formatDuration, formatPercent, formatUsd } from './format-numbers.ts';

/** What a run did and how things stand after it. */
export function formatRun(result: RunResult): string[] {
  const counts = (['embedded', 'copied', 'touched', 'excluded', 'failed'] as const).map(
    name => `${name} ${formatCount(result[name])}`,
  );
  return [
    ...result.spaces.flatMap(formatCoverage),
    `this run: ${counts.join(', ')}`,
    `  ${formatCount(result.providerCalls)} provider calls, ${formatCount(result.tokens)} tokens, ${formatUsd(result.costUsd)}`,
    `  ${result.averageMsPerItem.toFixed(1)} ms per item on average, error rate ${formatPercent(result.errorRate)}, took ${formatDuration(result.durationMs)}`,
    `  last update ${result.lastUpdate ?? 'never'}`,
  ];
}
