import { requireSchemaRights } from '../adapters/sql/migrations/require-schema-rights.ts';
import { createReportStore } from '../adapters/sql/report/sql-report-store.ts';
import { openSpaceList } from './open-space-list.ts';
import type { Workspace } from './open-workspace.ts';

const failureClasses: readonly string[] = ['throttled', 'transient', 'too-large', 'item', 'stop', 'unknown'];

/**
 * Makes failed rows stale again, in every space. `cause` is a failure class or a code, as `failures` prints them.
 * Resolves with the number of rows.
 */
export async function retryFailures(
  workspace: Workspace,
  filter: { readonly cause?: string | undefined; readonly itemId?: string | undefined },
): Promise<number> {
  const { cause, itemId } = filter;
  await requireSchemaRights(workspace.database, 'write');
  const reports = createReportStore(workspace.database);
  let rows = 0;
  for (const space of await openSpaceList(workspace))
    rows += await reports.retryFailures(space, {
      ...(itemId === undefined ? {} : { itemId }),
      ...(cause === undefined
        ? {}
        : failureClasses.includes(cause)
          ? { failureClass: cause }
          : { code: cause }),
    });
  return rows;
}
