import { createControlStore } from '../adapters/sql/control/sql-control-store.ts';
import { createReportStore } from '../adapters/sql/report/sql-report-store.ts';
import { readCoverages, readLedgers, readPauses } from '../pipeline/operate/report-status.ts';
import type { StatusAnswer } from '../ports/operator.ts';
import { openSpaceList } from './open-space-list.ts';
import type { Workspace } from './open-workspace.ts';

export async function readStatus(workspace: Workspace): Promise<StatusAnswer> {
  const spaces = await openSpaceList(workspace);
  const reports = createReportStore(workspace.database);
  return {
    spaces: await readCoverages(reports, spaces),
    paused: await readPauses(createControlStore(workspace.database)),
    ledger: await readLedgers(reports, spaces),
  };
}
