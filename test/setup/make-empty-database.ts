import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { vector } from '@electric-sql/pglite-pgvector';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** Path of a file of an embedded database as `initdb` leaves it, with the extension: reading it takes a quarter of the time of making it. */
    readonly emptyDatabase: string;
  }
}

/** Once for all test files. Resolves with what takes it away. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(path.join(tmpdir(), 'freshet-tests-'));
  const file = path.join(folder, 'empty-database.tar');
  const database = await PGlite.create({ extensions: { vector } });
  await database.exec('CREATE EXTENSION vector');
  await writeFile(file, (await database.dumpDataDir('none')).stream());
  await database.close();
  project.provide('emptyDatabase', file);
  return () => rm(folder, { recursive: true });
}
