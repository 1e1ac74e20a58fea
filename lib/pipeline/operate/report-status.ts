import { ORPHANS_CONFIRMED } from '../../core/model/confirmation.ts';
import { isRunScope } from '../../core/model/run-scope.ts';
import type { Space } from '../../core/model/space.ts';
import type { ControlStore, PauseReason } from '../../ports/control-store.ts';
import type { StatusAnswer } from '../../ports/operator.ts';
import type { Coverage, LedgerTotals, ReportStore } from '../../ports/report-store.ts';
import type { SpaceRegistry } from '../../ports/space-registry.ts';
import { unlessSourceBroken } from '../unless-source-broken.ts';

export async function reportStatus(ports: {
  readonly spaces: SpaceRegistry;
  readonly control: ControlStore;
  readonly reports: ReportStore;
}): Promise<StatusAnswer> {
  const spaces = await ports.spaces.list();
  return {
    spaces: await readCoverages(ports.reports, spaces),
    paused: await readPauses(ports.control),
    ledger: await readLedgers(ports.reports, spaces),
  };
}

/** What holds work up: neither an operator's confirmation nor the wish that one run stops is a pause. */
export async function readPauses(control: ControlStore): Promise<readonly PauseReason[]> {
  return (await control.reasons()).filter(
    ({ scope, reason }) => reason !== ORPHANS_CONFIRMED && !isRunScope(scope),
  );
}

/** Spaces whose source cannot be read are left out: `paused` says why. */
export async function readCoverages(reports: ReportStore, spaces: readonly Space[]): Promise<Coverage[]> {
  const coverages: Coverage[] = [];
  for (const space of spaces) {
    const coverage = await unlessSourceBroken(() => reports.readCoverage(space));
    if (coverage !== undefined) coverages.push(coverage);
  }
  return coverages;
}

export async function readLedgers(reports: ReportStore, spaces: readonly Space[]): Promise<LedgerTotals> {
  let totals: LedgerTotals = {
    providerCalls: 0,
    tokens: 0,
    costUsd: 0,
    paidAndLostCalls: 0,
    paidAndLostCostUsd: 0,
    lastUpdate: null,
  };
  for (const space of spaces) totals = addLedgers(totals, await reports.readLedger(space));
  return totals;
}

function addLedgers(left: LedgerTotals, right: LedgerTotals): LedgerTotals {
  const latest = [left.lastUpdate, right.lastUpdate].filter(time => time !== null).toSorted();
  return {
    providerCalls: left.providerCalls + right.providerCalls,
    tokens: left.tokens + right.tokens,
    costUsd: left.costUsd + right.costUsd,
    paidAndLostCalls: left.paidAndLostCalls + right.paidAndLostCalls,
    paidAndLostCostUsd: left.paidAndLostCostUsd + right.paidAndLostCostUsd,
    lastUpdate: latest.at(-1) ?? null,
  };
}
