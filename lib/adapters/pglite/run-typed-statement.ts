import { type PGlite, types } from '@electric-sql/pglite';
import { UsageError } from '../../core/errors/usage-error.ts';
import { SESSION_STATEMENT } from '../sql/session-statement.ts';
import type { TypedResult } from '../sql/sql-database.ts';

/** Keeps times as the server prints them: a JS `Date` would drop microseconds. */
const parsers = Object.fromEntries(
  [types.TIMESTAMPTZ, types.TIMESTAMP, types.DATE].map(type => [type, (text: string) => text]),
);

/**
 * Runs what a person typed, with the `search_path` that such a person expects.
 * The text may hold several statements; the result is that of the last one. The session serves no
 * other statement meanwhile. A run goes on in it afterwards: a transaction that was left open is
 * rolled back, and every setting is as it was.
 * @throws UsageError with the server's own message. This is the one place where a server's message
 * passes, because its reader wrote the statement.
 */
export async function runTypedStatement(pglite: PGlite, statement: string): Promise<TypedResult> {
  await pglite.query(`SELECT set_config('search_path', '"$user", public', false)`);
  try {
    const last = (await pglite.exec(statement, { parsers })).at(-1);
    return {
      rows: (last?.rows ?? []) as TypedResult['rows'],
      affectedRows: last?.affectedRows ?? 0,
    };
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : 'The statement failed.');
  } finally {
    // Outside a transaction ROLLBACK does nothing but warn.
    await pglite.exec(`ROLLBACK; RESET SESSION AUTHORIZATION; RESET ALL; ${SESSION_STATEMENT}`);
  }
}
