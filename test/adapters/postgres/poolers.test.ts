import type pg from 'pg';
import { describe, expect, it } from 'vitest';
import { isPooled, refuseSharedSessions } from '../../../lib/adapters/postgres/poolers.ts';

interface Client {
  readonly pooler: string;
  /** The session that the client has for good. */
  pinned?: number;
}

/** How a pooler lends its sessions, which are 1, 2 and so on, to a client. */
type Lend = (client: Client, statement: string) => number;

/** A pooler that answers a question for the session's process, and whose clients can be counted. */
function createPooler(lend: Lend, { host = 'db.example', port = 6432, refusesMore = false } = {}) {
  const statements: string[] = [];
  let open = 0;
  const createClient = () => {
    const client: Client = { pooler: host };
    open += 1;
    return {
      host,
      port,
      query: async (statement: string) => {
        statements.push(statement);
        return { rows: [{ backend: lend(client, statement) }] };
      },
      end: async () => {
        open -= 1;
      },
      connection: { stream: { destroy: () => {} } },
    } as unknown as pg.Client;
  };
  const client = createClient();
  const connect = async () => {
    if (refusesMore) throw Object.assign(new Error('no more connections'), { code: '53300' });
    return createClient();
  };
  return {
    statements,
    countOpen: () => open,
    check: () => refuseSharedSessions({ client, connect, connections: 4 }),
  };
}

/** Each client keeps the session that it was lent first. */
function lendForGood(pins: (statement: string) => boolean): Lend {
  let next = 1;
  return (client, statement) => {
    if (client.pinned !== undefined) return client.pinned;
    if (!pins(statement)) return 1;
    next += 1;
    client.pinned = next;
    return next;
  };
}

const oneForAll: Lend = () => 7;

describe('refuseSharedSessions', () => {
  it('accepts a pooler that lends a session for as long as the client is connected', async () => {
    const pooler = createPooler(lendForGood(() => true));

    await pooler.check();

    expect(pooler.countOpen()).toBe(1);
  });

  it('accepts RDS Proxy, which lends for good from a statement of more than 16 KB on', async () => {
    await createPooler(lendForGood(statement => Buffer.byteLength(statement) > 16_384)).check();
  });

  it.each([
    'shop.proxy-abc123.eu-central-1.rds.amazonaws.com',
    'reader.endpoint.proxy-abc123.cn-north-1.rds.amazonaws.com.cn',
  ])('asks nothing of RDS Proxy where its host name tells: %s', async host => {
    const pooler = createPooler(oneForAll, { host });

    await pooler.check();

    expect(pooler.statements).toEqual([]);
  });

  it('refuses a pooler that lends all clients the same session, and ends the clients that it opened', async () => {
    const pooler = createPooler(oneForAll);

    await expect(pooler.check()).rejects.toMatchObject({
      name: 'UsageError',
      message: expect.stringContaining(
        'PostgreSQL at db.example:6432 is a pooler in transaction or statement',
      ),
    });

    expect(pooler.countOpen()).toBe(1);
  });

  it.each([2, 3, 4, 5, 6, 10])('refuses a pooler that lends %i sessions in turn', async sessions => {
    let next = 0;
    const pooler = createPooler(() => {
      next += 1;
      return next % sessions;
    });

    await expect(pooler.check()).rejects.toMatchObject({ name: 'UsageError' });
  });

  it('asks only for the process, in statements that set nothing', async () => {
    const pooler = createPooler(lendForGood(() => true));

    await pooler.check();

    for (const statement of pooler.statements)
      expect(statement).toMatch(/^SELECT pg_catalog\.pg_backend_pid\(\) AS backend \/\* -+ \*\/$/);
  });

  it('says why a pooler cannot be judged that lets no other client in', async () => {
    await expect(createPooler(oneForAll, { refusesMore: true }).check()).rejects.toMatchObject({
      name: 'FreshetError',
      code: 'sqlstate_53300',
    });
  });

  it.each([
    [
      'aws-0-eu-west-1.pooler.supabase.com',
      6543,
      /aws-0-eu-west-1\.pooler\.supabase\.com:5432.*session mode/,
    ],
    ['db.abcdefgh.supabase.co', 6543, /db\.abcdefgh\.supabase\.co:5432/],
    [
      'ep-cool-rain-1-pooler.eu-central-1.aws.neon.tech',
      5432,
      /ep-cool-rain-1\.eu-central-1\.aws\.neon\.tech/,
    ],
    ['shop.postgres.database.azure.com', 6432, /shop\.postgres\.database\.azure\.com:5432/],
    ['shop-do-user-1.b.db.ondigitalocean.com', 25061, /shop-do-user-1\.b\.db\.ondigitalocean\.com:25060/],
    ['127.0.0.1', 6432, /server's own host and port .*session mode/],
  ])('names the direct address for %s:%i', async (host, port, words) => {
    await expect(createPooler(oneForAll, { host, port }).check()).rejects.toMatchObject({
      remedy: expect.stringMatching(words),
    });
  });
});

describe('isPooled', () => {
  it.each([
    [4711, false],
    [4712, true],
    [null, true],
  ])('compares the process of the login with the one that answered: %s', (processID, pooled) => {
    expect(isPooled({ processID } as unknown as pg.Client, 4711)).toBe(pooled);
  });
});
