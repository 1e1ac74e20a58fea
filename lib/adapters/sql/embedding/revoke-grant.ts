import { sql } from 'kysely';
import type { SqlDatabase } from '../sql-database.ts';

export async function revokeGrant(db: SqlDatabase, callId: string): Promise<void> {
  await sql`DELETE FROM freshet.grants WHERE call_id = ${callId}::uuid`.execute(db.kysely);
}
