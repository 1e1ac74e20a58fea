import { createControlStore } from '../adapters/sql/control/sql-control-store.ts';
import { createReportStore } from '../adapters/sql/report/sql-report-store.ts';
import { ORPHANS_CONFIRMED } from '../core/model/confirmation.ts';
import type { Space } from '../core/model/space.ts';
import type { PauseReason } from '../ports/control-store.ts';
import type { Coverage, LedgerTotals } from '../ports/report-store.ts';
import { openSpaceList } from './open-space-list.ts';
import type { Workspace } from './open-workspace.ts';
import { unlessSourceBroken } from './unless-source-broken.ts';

export interface Status {
  readonly spaces: readonly Coverage[];
  readonly paused: readonly PauseReason[];
  /** Over all spaces and runs. */
  readonly ledger: LedgerTotals;
}

export async function readStatus(workspace: Workspace): Promise<Status> {
  const spaces = await openSpaceList(workspace);
  return {
    spaces: await readCoverages(workspace, spaces),
    paused: (await createControlStore(workspace.database).reasons()).filter(
      ({ reason }) => reason !== ORPHANS_CONFIRMED,
    ),
    ledger: await readLedgers(workspace, spaces),
  };
}

/** Spaces whose source cannot be read are left out: `paused` says why. */
export async function readCoverages(workspace: Workspace, spaces: readonly Space[]): Promise<Coverage[]> {
  const reports = createReportStore(workspace.database);
  const coverages: Coverage[] = [];
  for (const space of spaces) {
    const coverage = await unlessSourceBroken(() => reports.readCoverage(space));
    if (coverage !== undefined) coverages.push(coverage);
  }
  return coverages;
}

export async function readLedgers(workspace: Workspace, spaces: readonly Space[]): Promise<LedgerTotals> {
  const reports = createReportStore(workspace.database);
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
