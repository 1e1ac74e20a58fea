import type { Kysely } from 'kysely';
import type { TickLock } from '../../ports/tick-lock.ts';
import type { FreshetTables } from './freshet-tables.ts';

/**
 * A PostgreSQL with pgvector, embedded or real.
 * Sessions run in UTC with `search_path = pg_catalog, <schema of the vector extension>`; every
 * identifier is qualified and quoted. Rejections are `FreshetError`, classified from the SQLSTATE.
 */
export interface SqlDatabase {
  readonly engine: 'pglite' | 'postgres';
  readonly kysely: Kysely<FreshetTables>;
  /**
   * Resolves with the OID of `vector`, which is the element OID in a binary `vector[]`.
   * The OID differs between databases and is looked up once for each. A `Buffer` given as a
   * parameter is sent in binary on both engines.
   */
  vectorTypeOid(): Promise<number>;
  /**
   * Takes a session advisory lock of class `RUN_LOCK_CLASS` under a fresh run id.
   * On a server, the lock has a connection of its own. The lock goes when the process goes, however
   * the process ends. Leases of a run whose lock is free count as expired.
   */
  beginRun(): Promise<RunLock>;
  /**
   * Keeps ticks apart; undefined on the embedded database, which has one process only.
   * On a server, each tick takes a connection beside the pool.
   */
  readonly tickLock?: TickLock | undefined;
  /**
   * Runs statements that a person typed; only the embedded database has it.
   * @throws UsageError that says what the server said.
   */
  readonly typed?: (statements: string) => Promise<TypedResult>;
  close(): Promise<void>;
}

/** What the last of the typed statements gave. */
export interface TypedResult {
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly affectedRows: number;
}

/** The lock that shows to others that a local run lives. */
export interface RunLock {
  readonly runId: number;
  /**
   * Resolves when the connection that holds the lock is gone without `end`.
   * Others may then take over this run's leases.
   */
  readonly lost: Promise<void>;
  end(): Promise<void>;
}

/**
 * First key of the locks that local runs hold, which is `classid` in `pg_locks`.
 * `objid` is the run id. `objsubid` is 2, as for every lock with two keys.
 */
export const RUN_LOCK_CLASS = 1_179_796_562;
