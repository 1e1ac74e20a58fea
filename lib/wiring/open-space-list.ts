import { openSpaces } from '../adapters/sql/spaces/open-spaces.ts';
import { FreshetError } from '../core/errors/freshet-error.ts';
import { UsageError } from '../core/errors/usage-error.ts';
import type { Space } from '../core/model/space.ts';
import type { Workspace } from './open-workspace.ts';

/**
 * The spaces of the configuration, in its order.
 * @throws UsageError when the database has no schema `freshet`, or not yet these spaces.
 */
export async function openSpaceList(workspace: Workspace): Promise<readonly Space[]> {
  try {
    const registry = await openSpaces(workspace.database, workspace.config);
    const spaces = await registry.list();
    if (spaces.length > 0) return spaces;
  } catch (error) {
    const schemaMissing = error instanceof FreshetError && /42P01|3F000/.test(error.code);
    if (!schemaMissing) throw error;
  }
  throw new UsageError(
    `The database has no vectors of the sources in ${workspace.file} yet.`,
    'npm run freshet -- run',
  );
}
