import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, resolve } from 'node:path';
import { UnavailableError } from '../../core/errors.ts';
import { FRESHET } from '../../core/own-command.ts';
import { PRIVATE_FILE_MODE } from '../private-files.ts';

interface LockRecord extends ProcessIdentity {
  /** Tells this holding of the lock from every other one. */
  readonly token: string;
  readonly since: string;
}

/**
 * Takes the lock file `lock` beside `directory` and resolves with what releases the lock.
 * PGlite itself does not guard its directory: two processes would overwrite each other's pages.
 *
 * A dead holder's file is not deleted, because a process that came second would delete the winner's
 * file. The successor creates the file `lock.after.<token of the dead holder>` instead, which only
 * one process can create. The last file of that chain names the holder. The successor then renames
 * its file over `lock`. A process whose file is not the last of the chain has lost and looks again.
 *
 * @throws DirectoryInUseError while another process holds the lock and lives, or runs on another
 * host.
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

/**
 * Writes the record under a name of its own, before it gets the name of the lock.
 * The record is then whole when others see it: no process reads half of one.
 */
async function createRecord(path: string): Promise<{ token: string; file: string }> {
  const token = randomUUID();
  const file = `${path}.${token}`;
  const record: LockRecord = {
    ...(await identifyProcess(process.pid)),
    token,
    since: new Date().toISOString(),
  };
  await writeFile(file, `${JSON.stringify(record)}\n`, { flag: 'wx', mode: PRIVATE_FILE_MODE });
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
    // A power cut left the file torn: no process that lives wrote it.
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
      ? `The embedded database in ${directory} is in use by process ${holder.pid} since ` +
          `${holder.since}. Wait until it ends or stop it.`
      : `The embedded database in ${directory} is in use by process ${holder.pid} on host ` +
          `"${holder.host}" since ${holder.since}, which cannot be looked at from here. If that process ` +
          'is gone, delete the lock file.',
    life === 'alive'
      ? `${FRESHET} stop ends a run after the batch in hand; kill ${holder.pid} ends whatever it is.`
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

/** Says that another process holds the embedded database in `directory`. */
export class DirectoryInUseError extends UnavailableError {
  readonly directory: string;
  /** Process that holds the database; undefined where it runs on another host. */
  readonly holder: ProcessIdentity | undefined;

  constructor(
    directory: string,
    holder: ProcessIdentity | undefined,
    message: string,
    remedy: string | undefined,
  ) {
    super(message, remedy);
    this.directory = directory;
    this.holder = holder;
  }
}

/**
 * Identifies the process that holds a lock.
 * The system gives a process id out again. Where the system tells when a process started, the start
 * distinguishes two processes with one id.
 */
export interface ProcessIdentity {
  readonly pid: number;
  readonly host: string;
  /** Boot id and start tick, joined by `/`, as Linux has them; null on other systems. */
  readonly started: string | null;
}

export async function identifyProcess(pid: number): Promise<ProcessIdentity> {
  return { pid, host: hostname(), started: await readStart(pid) };
}

/**
 * Finds out whether the holder of a lock still runs.
 * `elsewhere`: the holder runs on another host, whose processes cannot be seen from here.
 */
export async function findLife(holder: ProcessIdentity): Promise<'alive' | 'dead' | 'elsewhere'> {
  if (holder.host !== hostname()) return 'elsewhere';
  if (!isRunning(holder.pid) || (await isZombie(holder.pid))) return 'dead';
  const started = await readStart(holder.pid);
  return holder.started === null || started === null || started === holder.started ? 'alive' : 'dead';
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // EPERM: the process runs under another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * Tells whether the process was killed and its parent has not asked how it ended.
 * Such a process answers signals and holds nothing. In a container it can stay so for ever.
 */
async function isZombie(pid: number): Promise<boolean> {
  const state = (await readStat(pid))?.[0];
  return state === 'Z' || state === 'X';
}

async function readStart(pid: number): Promise<string | null> {
  const [boot, stat] = await Promise.all([
    readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => undefined),
    readStat(pid),
  ]);
  // Field 22 of the file is the tick at which the process started.
  return boot === undefined || stat === undefined ? null : `${boot.trim()}/${stat[19] ?? ''}`;
}

/**
 * Reads the fields of `/proc/<pid>/stat` from the third one on, which is the state.
 * The second field is the command in parentheses and may hold anything, so the fields are counted
 * from the last parenthesis. Undefined where there is no such file.
 */
async function readStat(pid: number): Promise<string[] | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return text?.slice(text.lastIndexOf(')') + 2).split(' ');
}
