import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';

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
