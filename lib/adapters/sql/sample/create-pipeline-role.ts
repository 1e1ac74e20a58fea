import { type Kysely, sql } from 'kysely';
import type { FreshetTables } from '../freshet-tables.ts';

export interface PipelineRole {
  readonly name: string;
  /** The password as PostgreSQL stores it. */
  readonly verifier: string;
  readonly viewSchema: string;
}

/**
 * Creates the role of the pipeline with exactly the rights that it needs. Idempotent.
 * The role owns its two schemas, reads the source table, and may do nothing else: it may not even
 * create another schema. `pg_read_all_stats` lets the role see how old the open transactions of
 * others are, which the incremental pass would otherwise have to guess.
 * The database's owner runs this function and becomes a member of the role. Without the membership,
 * the owner could not make schemas for the role.
 */
export async function createPipelineRole(db: Kysely<FreshetTables>, role: PipelineRole): Promise<void> {
  const name = sql.id(role.name);
  await db.transaction().execute(async transaction => {
    const { rows } = await sql`SELECT FROM pg_roles WHERE rolname = ${role.name}`.execute(transaction);
    if (rows.length === 0) await sql`CREATE ROLE ${name} LOGIN`.execute(transaction);
    await sql`ALTER ROLE ${name} PASSWORD ${sql.lit(role.verifier)}`.execute(transaction);
    await sql`GRANT ${name} TO CURRENT_USER`.execute(transaction);
    for (const schema of ['freshet', role.viewSchema])
      await sql`CREATE SCHEMA IF NOT EXISTS ${sql.id(schema)} AUTHORIZATION ${name}`.execute(transaction);
    await sql`GRANT pg_read_all_stats TO ${name}`.execute(transaction);
    await sql`GRANT USAGE ON SCHEMA public TO ${name}`.execute(transaction);
    await sql`GRANT SELECT ON public.ai_items TO ${name}`.execute(transaction);
  });
}
