import type pg from 'pg';
import { UsageError } from '../../core/errors.ts';
import { toDatabaseFailure } from '../sql/database.ts';
import { nameServer } from './connection-url.ts';
import { endSession } from './sessions.ts';

/** A client whose server answered at least once, and the way to further connections beside it. */
export interface PooledClient {
  readonly client: pg.Client;
  /** Opens one more connection to the same address, with the same login. */
  readonly connect: () => Promise<pg.Client>;
  /** Connections that the caller will hold at the same time. */
  readonly connections: number;
}

/**
 * Host names of RDS Proxy, whose certificate names no other.
 * It keeps apart whoever sets something. The functions of a deployment would take four connections
 * more from it at each start for a known answer.
 */
const RDS_PROXY = /\.proxy-[a-z0-9]+\.[a-z0-9-]+\.rds\.amazonaws\.com(\.cn)?$/;

/**
 * Tells whether something stands between the client and the process that answered it.
 * A server reports the number of its process at the login (`BackendKeyData`). A pooler answers the
 * login itself and reports a number of its own, or none; RDS Proxy is also known by its name.
 */
export function isPooled(client: pg.Client, backend: number): boolean {
  const { processID } = client as unknown as { readonly processID: number | null };
  return processID !== backend || RDS_PROXY.test(client.host);
}

/**
 * Clients that are held open at the same time.
 * Of five clients two share a process of a pooler that runs in up to four, each of which has
 * sessions of its own.
 */
const CLIENTS = 5;

/**
 * Refuses a pooler that lends a session for one transaction or one statement.
 * What Freshet sets would stay on a session that another application is lent next: its time zone,
 * search path, prepared statements and advisory locks. So this comes before anything is set, and
 * every question here is a plain statement that leaves nothing behind.
 *
 * A session of one's own is known by its process: it stays the same, and no other client gets it.
 * Each client is asked twice before the next one, because a pooler that lends its sessions in turn
 * (`server_round_robin`) would otherwise give each client the same one every time.
 * @throws UsageError with the direct address.
 */
export async function refuseSharedSessions(pooled: PooledClient): Promise<void> {
  const { client, connect } = pooled;
  if (RDS_PROXY.test(client.host)) return;
  const attempts = await Promise.allSettled(Array.from({ length: CLIENTS - 1 }, connect));
  const others = attempts.flatMap(attempt => (attempt.status === 'fulfilled' ? [attempt.value] : []));
  try {
    const refused = attempts.find(attempt => attempt.status === 'rejected');
    // A pool that is short of connections may refuse some of them; one is enough for a comparison.
    if (others.length === 0 && refused !== undefined) throw refused.reason;
    const waiting = await compareSessions(client, others);
    if (waiting && pooled.connections > 1) throw describeSmallPool(client);
  } catch (error) {
    throw toDatabaseFailure(error);
  } finally {
    await Promise.all(others.map(endSession));
  }
}

/**
 * Compares the sessions of the clients; resolves with whether one of them waits for a session.
 * @throws UsageError where a client changes its session, or two have the same one.
 */
async function compareSessions(first: pg.Client, others: readonly pg.Client[]): Promise<boolean> {
  const holders = new Map<number, pg.Client>();
  const sessions = new Map<pg.Client, number>();
  const compare = (client: pg.Client, session: number) => {
    const known = sessions.get(client) ?? session;
    const holder = holders.get(session) ?? client;
    if (known !== session || holder !== client) throw describeSharedSessions(client);
    sessions.set(client, session);
    holders.set(session, client);
  };
  for (const client of [first, ...others, first]) {
    for (let times = 0; times < 2; times += 1) {
      const session = await askInTurn(client, first);
      if (session === undefined) return true;
      compare(client, session);
    }
  }
  return false;
}

/** Milliseconds after which a client that got no answer may be waiting for a session. */
const ANSWER_MS = 1_000;

/**
 * Asks for the session's process; undefined where the client waits for a session to become free.
 * Whoever asked first is lent the next session. If the first client is answered while this one
 * waits, the first client has a session that nobody else is lent.
 */
async function askInTurn(client: pg.Client, first: pg.Client): Promise<number | undefined> {
  const answer = askBackend(client);
  // A client that is ended while it waits rejects, which says nothing any more.
  answer.catch(() => {});
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>(resolve => {
    timer = setTimeout(resolve, ANSWER_MS, 'late');
  });
  const soon = await Promise.race([answer, late]).finally(() => clearTimeout(timer));
  if (soon !== 'late') return soon;
  return client === first ? answer : Promise.race([answer, askBackend(first).then(() => undefined)]);
}

/**
 * A comment that makes a statement longer than 16 KB.
 * RDS Proxy, which may have another name in a private zone, lends by the transaction until it pins
 * a client to its session for good. It pins at a setting, which Freshet makes in every session, and
 * at a long statement, which sets nothing: "Avoiding pinning an RDS Proxy" in Amazon's guide.
 */
const PINNING = `/* ${'-'.repeat(16_384)} */`;

async function askBackend(client: pg.Client): Promise<number> {
  const answer = await client.query<{ backend: number }>(
    `SELECT pg_catalog.pg_backend_pid() AS backend ${PINNING}`,
  );
  return answer.rows[0]!.backend;
}

function describeSharedSessions(client: pg.Client): UsageError {
  return new UsageError(
    `${nameServer(client)} is a pooler in transaction or statement mode: it lends a ` +
      'session for one transaction only. Freshet needs sessions of its own, for its advisory locks, its ' +
      'prepared statements and its settings, which other clients of the pool would get. Nothing was set.',
    `Use ${adviseAddress(client)}.`,
  );
}

function describeSmallPool(client: pg.Client): UsageError {
  return new UsageError(
    `${nameServer(client)} is a pooler in session mode whose sessions are all taken: ` +
      'it gives no second one while the first is open. Freshet needs one for each of its connections.',
    `Enlarge the pool (PgBouncer: default_pool_size or pool_size), or use ${adviseAddress(client)}.`,
  );
}

/** Where hosts of databases have the address that lends no sessions. */
const DIRECT_ADDRESSES: readonly {
  readonly host: RegExp;
  readonly port?: number;
  readonly advise: (host: string) => string;
}[] = [
  {
    host: /\.pooler\.supabase\.(com|co)$/,
    port: 6543,
    advise: host => `${host}:5432, Supabase's pooler in session mode, or db.PROJECT.supabase.co:5432`,
  },
  { host: /\.supabase\.(com|co)$/, port: 6543, advise: host => `${host}:5432, Supabase's direct address` },
  {
    host: /^[^.]+-pooler\./,
    advise: host =>
      `${host.replace('-pooler.', '.')}, the same host without "-pooler" (Neon's direct address)`,
  },
  {
    host: /\.postgres\.database\.azure\.com$/,
    port: 6432,
    advise: host => `${host}:5432, Azure's direct address`,
  },
  {
    host: /\.db\.ondigitalocean\.com$/,
    port: 25061,
    advise: host => `${host}:25060, DigitalOcean's direct address, with the name of the database itself`,
  },
];

function adviseAddress({ host, port }: pg.Client): string {
  const known = DIRECT_ADDRESSES.find(
    address => address.host.test(host) && (address.port === undefined || address.port === port),
  );
  return (
    known?.advise(host) ??
    "the server's own host and port (mostly 5432) in the database URL, or a pool in session mode"
  );
}
