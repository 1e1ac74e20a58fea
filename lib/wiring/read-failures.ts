import { createReportStore } from '../adapters/sql/report/sql-report-store.ts';
import { unlessSourceBroken } from '../pipeline/unless-source-broken.ts';
import type { FailureGroup } from '../ports/report-store.ts';
import { openSpaceList } from './open-space-list.ts';
import type { Workspace } from './open-workspace.ts';

interface SourceFailures extends FailureGroup {
  readonly source: string;
  readonly model: string;
}

/** Failed rows of every space by cause, with up to `exampleLimit` ids each. */
export async function readFailures(workspace: Workspace, exampleLimit: number): Promise<SourceFailures[]> {
  const reports = createReportStore(workspace.database);
  const failures: SourceFailures[] = [];
  for (const space of await openSpaceList(workspace)) {
    const groups = await unlessSourceBroken(() => reports.readFailures(space, exampleLimit));
    for (const group of groups ?? [])
      failures.push({ source: space.source.name, model: space.model.alias, ...group });
  }
  return failures;
}
