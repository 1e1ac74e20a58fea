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
  if (!isRunning(holder.pid)) return 'dead';
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

async function readStart(pid: number): Promise<string | null> {
  try {
    const [boot, stat] = await Promise.all([
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
      readFile(`/proc/${pid}/stat`, 'utf8'),
    ]);
    // Field 22; the second field is the command in parentheses and may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return `${boot.trim()}/${fields[19] ?? ''}`;
  } catch {
    return null;
  }
}
