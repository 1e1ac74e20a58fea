import type { SourceFailures } from '../../lib/ports/operator.ts';
import { adviseFailure, type FailurePlace } from './advise-failure.ts';
import { formatCount } from './format-numbers.ts';
import type { Terminal } from './terminal.ts';

export function withAdvice(groups: readonly SourceFailures[], place: FailurePlace) {
  return groups.map(group => ({ ...group, advice: adviseFailure(group, place) }));
}

/** Rows by cause with some of their ids, and what to do. */
export function reportFailures(failures: ReturnType<typeof withAdvice>, terminal: Terminal): void {
  if (failures.length === 0) terminal.line('No row failed.');
  for (const failure of failures) {
    const examples = failure.exampleIds.join(', ') + (failure.rows > failure.exampleIds.length ? ', …' : '');
    terminal.line(
      `${failure.source} · ${failure.model}: ${formatCount(failure.rows)} rows, ${failure.failureClass} ${failure.code}, last ${failure.lastAt ?? 'unknown'}`,
    );
    terminal.line(`  ids: ${examples}`);
    terminal.line(`  try: ${failure.advice}`);
  }
}
