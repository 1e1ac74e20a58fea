import { createControlStore } from '../adapters/sql/control/sql-control-store.ts';
import { createDetectionStore } from '../adapters/sql/detection/sql-detection-store.ts';
import { createReportStore } from '../adapters/sql/report/sql-report-store.ts';
import { createResetStore } from '../adapters/sql/reset/sql-reset-store.ts';
import type { OperatePorts } from '../pipeline/operate/operate-ports.ts';
import { openSpaceList } from './open-space-list.ts';
import type { Workspace } from './open-workspace.ts';

const silence = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** The operator's requests on a workspace's own database. Whoever asks sees the answer, so nothing is logged. */
export async function openOperatePorts(workspace: Workspace): Promise<OperatePorts> {
  const { database } = workspace;
  const spaces = await openSpaceList(workspace);
  return {
    spaces: {
      list: async () => spaces,
      find: async spaceId => spaces.find(space => space.spaceId === spaceId),
    },
    control: createControlStore(database),
    reports: createReportStore(database),
    resets: createResetStore(database),
    detection: createDetectionStore(database),
    logger: silence,
  };
}
