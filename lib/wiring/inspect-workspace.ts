import { type DoctorFinding, inspectDatabase } from '../adapters/sql/doctor/inspect-database.ts';
import type { Workspace } from './open-workspace.ts';

type Finding = DoctorFinding;

export async function inspectWorkspace(workspace: Workspace): Promise<readonly Finding[]> {
  return inspectDatabase(workspace.database, workspace.config);
}
