import { type Kysely, sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readCoverageWithin } from '../../lib/adapters/sql/coverage.ts';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { inspectDatabase } from '../../lib/adapters/sql/doctor.ts';
import { ensureSpaces } from '../../lib/adapters/sql/ensure-spaces.ts';
import type { FreshetTables } from '../../lib/adapters/sql/freshet-tables.ts';
import { inspectReplacement, type ReplacedSpace } from '../../lib/adapters/sql/replaced-spaces.ts';
import { resolveSource } from '../../lib/adapters/sql/resolve-source.ts';
import type { Space } from '../../lib/core/model.ts';
import { createSourceTable } from '../database/open-space.ts';
import { openTestDatabase } from '../database/open-test-database.ts';
import { buildConfig, buildSourceConfig } from '../factories/pipeline-config.ts';

let db: SqlDatabase;
beforeEach(async () => {
  db = await openTestDatabase();
  await createSourceTable(db);
});
afterEach(() => db.close());

/** Works while another session keeps a table to itself; resolves with what the work did. */
async function whileLocked<Value>(table: string, work: (holder: number) => Promise<Value>): Promise<Value> {
  return db.kysely.transaction().execute(async transaction => {
    await sql`LOCK TABLE ${sql.raw(table)} IN ACCESS EXCLUSIVE MODE`.execute(transaction);
    return work(await pidOf(transaction));
  });
}

async function pidOf(connection: Kysely<FreshetTables>): Promise<number> {
  const { rows } = await sql<{ pid: number }>`SELECT pg_backend_pid() AS pid`.execute(connection);
  return rows[0]!.pid;
}

/** Works in one session whose statements wait so long for a lock, and take so long, at most. */
function withLimits<Value>(
  limits: { readonly lock_timeout?: string; readonly statement_timeout?: string },
  work: (limited: SqlDatabase) => Promise<Value>,
): Promise<Value> {
  return db.kysely.connection().execute(async kysely => {
    for (const [name, value] of Object.entries(limits))
      await sql`SELECT set_config(${name}, ${value}, false)`.execute(kysely);
    try {
      return await work({ ...db, kysely });
    } finally {
      for (const name of Object.keys(limits)) await sql`RESET ${sql.raw(name)}`.execute(kysely);
    }
  });
}

/** Puts a view that sleeps at each row in the place of the table of vectors, as very many would be read. */
async function makeSlow({ vectorTable }: Space): Promise<void> {
  await sql`INSERT INTO ${sql.id('freshet', vectorTable)} (item_id, outcome, read_at, embedding, embedded_at)
    VALUES (1, 'embedded', now(), '[1,0,0]', now())`.execute(db.kysely);
  await sql`ALTER TABLE ${sql.id('freshet', vectorTable)} RENAME TO read_slowly`.execute(db.kysely);
  await sql`CREATE VIEW ${sql.id('freshet', vectorTable)} AS
    SELECT * FROM freshet.read_slowly WHERE pg_sleep(60) IS NOT NULL`.execute(db.kysely);
}

it('a model changes though the vectors of before cannot be counted, and the source is told without a number', async () => {
  const [former] = await ensureSpaces(db, buildConfig());
  const changed = buildConfig([buildSourceConfig({ text: { columns: ['title'] } })]);
  const replaced: ReplacedSpace[] = [];

  await makeSlow(former!);

  const { warnings, spaces, limit } = await withLimits({ statement_timeout: '20s' }, async limited => ({
    warnings: await inspectReplacement(
      limited,
      changed,
      changed.sources[0]!,
      await resolveSource(limited, changed.sources[0]!),
    ),
    spaces: await ensureSpaces(limited, changed, { onReplaced: space => void replaced.push(space) }),
    limit: await sql`SELECT current_setting('statement_timeout') AS limit`.execute(limited.kysely),
  }));

  expect(spaces).toMatchObject([{ status: 'active' }]);
  expect(spaces[0]?.spaceId).not.toBe(former?.spaceId);
  expect(replaced).toEqual([{ source: 'ai_items', model: 'small', vectors: 0, formerVectors: undefined }]);
  expect(limit.rows).toEqual([{ limit: '20s' }]);
  expect(warnings.map(({ message }) => message)).toEqual([
    expect.stringMatching(/searches see vectors that were not counted in time, .* now: 0 vectors\./),
  ]);
});

it('a coverage that is read within a time ends within it while the table is locked', async () => {
  const [space] = await ensureSpaces(db, buildConfig());
  await sql`INSERT INTO public.ai_items (id, title) VALUES (1, 'one')`.execute(db.kysely);
  // Only of a table with statistics is the size asked for, which waits for the lock.
  await sql`ANALYZE public.ai_items`.execute(db.kysely);

  const reading = whileLocked('public.ai_items', () =>
    withLimits({ lock_timeout: '20s' }, limited => readCoverageWithin(limited, space!, 100)),
  );

  await expect(reading).rejects.toMatchObject({ code: 'sqlstate_57014' });
});

describe('doctor, which does not wait long for a lock, names', () => {
  const findLock = async () => {
    const findings = await withLimits({ lock_timeout: '200ms' }, limited =>
      inspectDatabase(limited, buildConfig()),
    );
    return findings.find(({ check }) => check === 'lock');
  };

  it('the table of vectors that is locked, and the process that locks it', async () => {
    const [space] = await ensureSpaces(db, buildConfig());

    await whileLocked(`freshet.${space?.vectorTable}`, async holder => {
      expect(await findLock()).toMatchObject({
        message: expect.stringContaining(
          `"freshet"."${space?.vectorTable}" is locked by process ${holder} of the server`,
        ),
        statement: expect.stringMatching(new RegExp(`WHERE pid IN \\(${holder}\\);$`)),
      });
    });
  });

  it('the partition that is locked', async () => {
    await sql`DROP TABLE public.ai_items`.execute(db.kysely);
    await sql`CREATE TABLE public.ai_items (id bigint PRIMARY KEY, title text, summary text, tags text[],
      updated_at timestamptz DEFAULT now()) PARTITION BY RANGE (id)`.execute(db.kysely);
    await sql`CREATE TABLE public.first_items PARTITION OF public.ai_items DEFAULT`.execute(db.kysely);
    await ensureSpaces(db, buildConfig());

    const told = await whileLocked('public.first_items', findLock);

    expect(told?.message).toContain('"public"."first_items" is locked by process');
  });

  it('the process that waits to lock the source, behind which all others wait, and whom it waits for', async () => {
    await ensureSpaces(db, buildConfig());
    const { told, reader, writer } = await db.kysely.transaction().execute(async transaction => {
      await sql`SELECT FROM public.ai_items`.execute(transaction);
      let writer = 0;
      const locking = db.kysely.transaction().execute(async other => {
        writer = await pidOf(other);
        await sql`ALTER TABLE public.ai_items ADD COLUMN later text`.execute(other);
      });
      await expect
        .poll(async () => {
          const { rows } = await sql`SELECT FROM pg_locks WHERE pid = ${writer} AND NOT granted`.execute(
            transaction,
          );
          return rows.length;
        })
        .toBe(1);
      return { told: await findLock(), reader: await pidOf(transaction), writer, locking };
    });

    expect(told).toMatchObject({
      message: expect.stringContaining(`process ${writer} of the server waits to lock "public"."ai_items"`),
      statement: expect.stringMatching(new RegExp(`WHERE pid IN \\(${writer}, ${reader}\\);$`)),
    });
  });
});
