import type { LedgerTotals } from '../../lib/ports/report-store.ts';
import { formatCount, formatUsd } from './format-numbers.ts';
import type { Terminal } from './terminal.ts';

/** What was bought so far, and what was bought and lost. */
export function reportLedger(ledger: LedgerTotals, terminal: Terminal): void {
  terminal.line(
    `so far: ${formatCount(ledger.providerCalls)} provider calls, ${formatCount(ledger.tokens)} tokens, ${formatUsd(ledger.costUsd)}; last update ${ledger.lastUpdate ?? 'never'}`,
  );
  if (ledger.paidAndLostCalls > 0)
    terminal.line(
      `paid and lost: ${formatCount(ledger.paidAndLostCalls)} calls, about ${formatUsd(ledger.paidAndLostCostUsd)}`,
    );
}
