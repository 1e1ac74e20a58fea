import type { Coverage } from '../../lib/ports/report-store.ts';
import { formatCount } from './format-numbers.ts';

/** The identity as an equation: whoever reads it can add it up. */
export function formatCoverage(coverage: Coverage): string[] {
  const { eligible, fresh, excluded, failed, inFlight, stale } = coverage;
  const terms = [
    ['fresh', fresh],
    ['excluded', excluded],
    ['failed', failed],
    ['in flight', inFlight],
    ['stale', stale],
  ] as const;
  const sum = terms.map(([name, count]) => `${formatCount(count)} ${name}`).join(' + ');
  return [
    `${coverage.source} · ${coverage.model}   ${coverage.coveragePercent.toFixed(2)} % covered`,
    `  ${formatCount(eligible)} eligible = ${sum}`,
  ];
}
