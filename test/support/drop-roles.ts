import { sql } from 'kysely';
import type { SqlDatabase } from '../../lib/adapters/sql/sql-database.ts';

/** A database of its own goes with its test; roles are the whole server's. Those that are not there are passed over. */
export async function dropRoles(db: SqlDatabase, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const { rows } = await sql`SELECT FROM pg_roles WHERE rolname = ${name}`.execute(db.kysely);
    if (rows.length === 0) continue;
    await sql`REASSIGN OWNED BY ${sql.id(name)} TO CURRENT_USER`.execute(db.kysely);
    await sql`DROP OWNED BY ${sql.id(name)} CASCADE`.execute(db.kysely);
    await sql`DROP ROLE ${sql.id(name)}`.execute(db.kysely);
  }
}
