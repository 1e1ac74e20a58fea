import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { DirectoryInUseError } from './directory-in-use-error.ts';
import { findLife, identifyProcess, type ProcessIdentity } from './process-identity.ts';

interface LockRecord extends ProcessIdentity {
  /** Names this holding of the lock. */
  readonly token: string;
  readonly since: string;
}

/**
 * Takes the lock file `lock` beside `directory`, which PGlite itself does not guard: two processes would overwrite each other's pages.
 * Rejects with `DirectoryInUseError` while another live process holds it. Resolves with what gives it back.
 *
 * A dead holder's file is not deleted (whoever comes second would delete the winner's): its successor is the file `lock.after.<token of the
 * dead holder>`, which only one process can create, and the holder is the last of that chain. A successor then renames its file over `lock`,
 * and whoever finds itself outside the chain has lost.
 */
export async function lockDirectory(directory: string): Promise<() => Promise<void>> {
  const path = `${dirname(resolve(directory))}/lock`;
  const own = await createRecord(path);
  try {
    for (;;) {
      const last = await findLast(path);
      if (last !== undefined) await refuseWhileHeld(last, directory, path);
      const place = last === undefined ? path : `${path}.after.${last.token}`;
      if (!(await linkOnce(own.file, place))) continue;
      if ((await findLast(path))?.token === own.token) {
        if (place !== path) await rename(place, path);
        return () => release(path, own.token);
      }
      await rm(place, { force: true });
    }
  } finally {
    await rm(own.file, { force: true });
  }
}

/** The record is written whole before it gets its name: nobody reads half of one. */
async function createRecord(path: string): Promise<{ token: string; file: string }> {
  const token = randomUUID();
  const file = `${path}.${token}`;
  const record: LockRecord = {
    ...(await identifyProcess(process.pid)),
    token,
    since: new Date().toISOString(),
  };
  await writeFile(file, `${JSON.stringify(record)}\n`, { flag: 'wx' });
  return { token, file };
}

async function findLast(path: string): Promise<LockRecord | undefined> {
  let last = await readRecord(path);
  while (last !== undefined) {
    const next = await readRecord(`${path}.after.${last.token}`);
    if (next === undefined) return last;
    last = next;
  }
  return undefined;
}

async function readRecord(path: string): Promise<LockRecord | undefined> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as LockRecord;
  } catch {
    // Left torn by a power cut: nobody alive wrote it.
    return { token: 'unreadable', pid: 0, host: '', started: null, since: '' };
  }
}

async function refuseWhileHeld(holder: LockRecord, directory: string, path: string): Promise<void> {
  if (holder.token === 'unreadable') return;
  const life = await findLife(holder);
  if (life === 'dead') return;
  throw new DirectoryInUseError(
    directory,
    life === 'alive' ? holder : undefined,
    life === 'alive'
      ? `The embedded database in ${directory} is in use by process ${holder.pid} since ${holder.since}. Wait until it ends or stop it.`
      : `The embedded database in ${directory} is in use by process ${holder.pid} on host "${holder.host}" since ${holder.since}, which cannot be looked at from here. If that process is gone, delete the lock file.`,
    life === 'alive'
      ? `npm run freshet -- stop ends a run after the batch in hand; kill ${holder.pid} ends whatever it is.`
      : `rm ${path}`,
  );
}

async function linkOnce(file: string, place: string): Promise<boolean> {
  try {
    await link(file, place);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function release(path: string, token: string): Promise<void> {
  if ((await readRecord(path))?.token === token) await rm(path, { force: true });
}
