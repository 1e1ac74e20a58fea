import type { TypedResult } from '../adapters/sql/sql-database.ts';
import { UsageError } from '../core/errors/usage-error.ts';
import type { Workspace } from './open-workspace.ts';

/** Runs a statement that a person typed, on the embedded database only: a server has `psql`, and its own permissions. */
export async function runStatement(workspace: Workspace, statement: string): Promise<TypedResult> {
  const { typed } = workspace.database;
  if (typed === undefined)
    throw new UsageError('sql works on the embedded database only.', 'psql "$DATABASE_URL"');
  return typed(statement);
}
