import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openPglite } from '../../../lib/adapters/pglite/open-pglite.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'freshet-pglite-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('openPglite', () => {
  it('keeps its data in the directory, refuses a second opening and gives the lock back', async () => {
    const directory = join(folder, 'inner', 'database');
    const first = await openPglite({ directory });
    await sql`CREATE TABLE public.kept AS SELECT 1 AS one`.execute(first.kysely);

    const refusal = openPglite({ directory });
    await expect(refusal).rejects.toMatchObject({ name: 'UsageError' });
    await first.close();

    expect(await readdir(join(folder, 'inner'))).toEqual(['database']);
    const second = await openPglite({ directory });
    expect((await sql`SELECT one FROM public.kept`.execute(second.kysely)).rows).toEqual([{ one: 1 }]);
    await second.close();
  });
});
