import type { Kysely } from 'kysely';
import type { TickLock } from '../../ports/tick-lock.ts';
import type { FreshetTables } from './freshet-tables.ts';

/**
 * A PostgreSQL with pgvector, embedded or real. Sessions run in UTC with `search_path = pg_catalog, <schema of the vector extension>`;
 * every identifier is qualified and quoted. Rejections are `FreshetError` classified from the SQLSTATE.
 */
export interface SqlDatabase {
  readonly engine: 'pglite' | 'postgres';
  readonly kysely: Kysely<FreshetTables>;
  /**
   * OID of `vector`, looked up once per database (it differs between databases): the element OID inside a binary `vector[]`.
   * A `Buffer` given as a parameter is sent in binary on both engines.
   */
  vectorTypeOid(): Promise<number>;
  /**
   * Takes a session advisory lock of class `RUN_LOCK_CLASS` under a fresh run id on a connection of its own. The lock goes when
   * the process goes, however it goes: leases of a run whose lock is free count as expired.
   */
  beginRun(): Promise<RunLock>;
  /** On a server each tick takes a connection beside the pool. The embedded database has one process, and so no ticks to keep apart. */
  readonly tickLock?: TickLock | undefined;
  /** Statements that a person typed; only the embedded database has it. Rejects with `UsageError` that says what the server said. */
  readonly typed?: (statements: string) => Promise<TypedResult>;
  close(): Promise<void>;
}

export interface TypedResult {
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly affectedRows: number;
}

export interface RunLock {
  readonly runId: number;
  /** Resolves when the connection that holds the lock is gone without `end`: others may now take over this run's leases. */
  readonly lost: Promise<void>;
  end(): Promise<void>;
}

/** `classid` in `pg_locks` of the locks that local runs hold; `objid` is the run id, `objsubid` 2. */
export const RUN_LOCK_CLASS = 1_179_796_562;
