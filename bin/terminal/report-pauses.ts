import type { PauseReason } from '../../lib/ports/control-store.ts';
import type { Terminal } from './terminal.ts';

/** One line for each reason that holds something up. */
export function reportPauses(pauses: readonly PauseReason[], terminal: Terminal): void {
  for (const { scope, reason, detail, since } of pauses)
    terminal.line(`paused: ${scope} since ${since}: ${reason}${detail === '' ? '' : ` – ${detail}`}`);
}
