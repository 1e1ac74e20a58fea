import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';

/** Who holds a lock. A process id is given out again; the start of the process (where the system tells it) tells the two apart. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly host: string;
  /** Boot id and start tick, as Linux has them; null elsewhere. */
  readonly started: string | null;
}

export async function identifyProcess(pid: number): Promise<ProcessIdentity> {
  return { pid, host: hostname(), started: await readStart(pid) };
}

/** `elsewhere`: on another host, where nobody here can look. */
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
    // EPERM: it runs under another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Killed, and its parent has not asked how it ended: it answers signals and holds nothing. In a container it can stay so for ever. */
async function isZombie(pid: number): Promise<boolean> {
  const state = (await readStat(pid))?.[0];
  return state === 'Z' || state === 'X';
}

async function readStart(pid: number): Promise<string | null> {
  const [boot, stat] = await Promise.all([
    readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => undefined),
    readStat(pid),
  ]);
  // Field 22 of the file.
  return boot === undefined || stat === undefined ? null : `${boot.trim()}/${stat[19] ?? ''}`;
}

/** Fields of `/proc/<pid>/stat` from the third, the state: the second is the command in parentheses and may hold anything. */
async function readStat(pid: number): Promise<string[] | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return text?.slice(text.lastIndexOf(')') + 2).split(' ');
}
