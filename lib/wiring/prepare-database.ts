import { migrate } from '../adapters/sql/migrations/migrate.ts';
import { ensureSpaces } from '../adapters/sql/spaces/ensure-spaces.ts';
import type { Workspace } from './open-workspace.ts';

/**
 * Brings schema `freshet` to this version's state and creates the tables of new spaces.
 * Nothing changes where nothing is missing. `adopt` also takes over tables that the application
 * swapped.
 */
export async function prepareDatabase(
  workspace: Workspace,
  options: { readonly adopt?: boolean } = {},
): Promise<{ from: number; to: number; applied: string[] }> {
  const migrated = await migrate(workspace.database);
  await ensureSpaces(workspace.database, workspace.config, options);
  return migrated;
}
