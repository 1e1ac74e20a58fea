import { spawn } from 'node:child_process';
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
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

describe('a process that is killed while it makes a database', () => {
  it.each([0, 300])(
    'holds up nobody: the next one makes it anew (%i ms after its first file)',
    async afterMs => {
      const directory = join(folder, 'database');
      const child = spawn(process.execPath, ['--input-type=module', '--eval', MAKE, directory], {
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      const ended = new Promise(resolve => child.on('close', resolve));
      while ((await readdir(directory).catch(() => [])).length === 0) await setTimeout(5);
      await setTimeout(afterMs);
      child.kill('SIGKILL');
      await ended;

      const database = await openPglite({ directory });
      expect((await sql`SELECT 1 AS one`.execute(database.kysely)).rows).toEqual([{ one: 1 }]);
      await database.close();
      expect(await readdir(folder)).toEqual(['database']);
    },
    180_000,
  );

  it('leaves files that a later process finds half made, however many they are', async () => {
    const directory = join(folder, 'database');
    await mkdir(join(directory, 'base'), { recursive: true });
    await writeFile(join(directory, 'postgresql.conf'), '');
    await writeFile(`${directory}.unfinished`, '');

    await (await openPglite({ directory })).close();
    expect(await readdir(folder)).toEqual(['database']);
  });
});

/** Makes a database and goes on until it is killed. */
const MAKE = `
const { openPglite } = await import(${JSON.stringify(join(import.meta.dirname, '../../../lib/adapters/pglite/open-pglite.ts'))});
await openPglite({ directory: process.argv[1] });
setInterval(() => {}, 1000);
`;

describe('openPglite on files that are there', () => {
  let made: string;
  beforeAll(async () => {
    made = await mkdtemp(join(tmpdir(), 'freshet-made-'));
    await (await openPglite({ directory: join(made, 'database') })).close();
  });
  afterAll(() => rm(made, { recursive: true }));

  async function copyDatabase(): Promise<string> {
    const directory = join(folder, 'database');
    await cp(join(made, 'database'), directory, { recursive: true });
    return directory;
  }

  async function refusalOf(directory: string) {
    const error: Error = await openPglite({ directory }).then(
      () => expect.unreachable(),
      reason => reason,
    );
    expect(error).toMatchObject({ name: 'UsageError', remedy: `mv ${directory} ${directory}.old` });
    // The lock is given back.
    expect(await readdir(folder)).toEqual(['database']);
    return error.message;
  }

  it('says which version made files of another major version, and leaves them', async () => {
    const directory = await copyDatabase();
    await writeFile(join(directory, 'PG_VERSION'), '16\n');

    expect(await refusalOf(directory)).toContain(
      `The embedded database in ${directory} is of PostgreSQL 16; this Freshet has PostgreSQL 18`,
    );
    expect(await readFile(join(directory, 'PG_VERSION'), 'utf8')).toBe('16\n');
  });

  it.each([
    ['no PG_VERSION', (directory: string) => rm(join(directory, 'PG_VERSION'))],
    ['an empty PG_VERSION', (directory: string) => writeFile(join(directory, 'PG_VERSION'), '')],
  ])('makes no new database over files with %s', async (_, damage) => {
    const directory = await copyDatabase();
    await damage(directory);
    const before = await readdir(directory);

    expect(await refusalOf(directory)).toContain(`${directory} is no database of PostgreSQL`);
    expect(await readdir(directory)).toEqual(before);
  });

  it.each([
    ['an empty pg_control', (directory: string) => writeFile(join(directory, 'global/pg_control'), '')],
    ['no pg_wal', (directory: string) => rm(join(directory, 'pg_wal'), { recursive: true })],
  ])('says that files with %s are damaged, and what to do', async (_, damage) => {
    const directory = await copyDatabase();
    await damage(directory);

    expect(await refusalOf(directory)).toContain(`The embedded database in ${directory} does not start`);
  });

  it('leaves files and folders to their owner alone, new ones and those that were wider', async () => {
    const directory = await copyDatabase();
    await chmod(directory, 0o755);
    await chmod(join(directory, 'base'), 0o777);
    await chmod(join(directory, 'PG_VERSION'), 0o666);

    const database = await openPglite({ directory });
    expect(await findOpenToOthers(directory)).toEqual([]);
    await sql`CREATE TABLE public.kept AS SELECT 1 AS one`.execute(database.kysely);
    await database.close();

    expect(await findOpenToOthers(directory)).toEqual([]);
  });

  it('names the major version of PGlite', async () => {
    const database = await openPglite({ memory: true });
    const { rows } = await sql<{ server_version: string }>`SHOW server_version`.execute(database.kysely);
    await database.close();

    expect(rows[0]?.server_version).toMatch(/^18\./);
  });
});

/** Paths whose group or others may do anything with them, the directory itself included. */
async function findOpenToOthers(directory: string): Promise<string[]> {
  const paths = [
    directory,
    ...(await readdir(directory, { recursive: true })).map(name => join(directory, name)),
  ];
  const modes = await Promise.all(paths.map(async path => ({ path, mode: (await stat(path)).mode & 0o077 })));
  return modes.filter(({ mode }) => mode !== 0).map(({ path }) => path);
}
