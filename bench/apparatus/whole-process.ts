import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type Measurement, readEndedChildrenCpuMs, watchDatabaseCpu } from './measurement.ts';

/** A measurement of a process from its first instruction to its last. */
export interface WholeProcess extends Omit<Measurement, 'items'> {
  /** The most memory that the process held at once, in MB. */
  readonly memoryMb: number;
  /** The memory that it held, in MB, fifty times a second from its start to its end. */
  readonly heldMb: readonly number[];
}

const MEMORY_LOOK_MS = 20;

const root = path.resolve(import.meta.dirname, '../..');

/** What Node is given for `freshet run` with a configuration of the contenders. */
export const wordsOfRun = (config: string, databaseUrl: string): readonly string[] => [
  ...['--require', path.join(root, 'bin/compile-cache.cjs'), path.join(root, 'bin/freshet.ts'), 'run'],
  ...['--config', path.join(root, 'bench/contenders', config), '--database-url', databaseUrl],
];

/**
 * Runs a program of Node to its end, and measures all of it: its start, its imports, its children.
 * The CPU is what the kernel accounts for children that ended, so that one process must be measured
 * at a time, and no other child of this process may end meanwhile. Linux.
 * @throws Error where the program ends with another code than 0.
 */
export async function measureProcess(
  databaseUrl: string,
  words: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<WholeProcess> {
  const readDatabaseCpuMs = await watchDatabaseCpu(databaseUrl);
  const before = { client: readEndedChildrenCpuMs(), database: readDatabaseCpuMs(), wall: performance.now() };
  const child = spawn(process.execPath, words, {
    env: { PATH: process.env.PATH, NODE_NO_WARNINGS: '1', ...environment },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', text => {
    complaint = `${complaint}${text}`.slice(-2000);
  });
  let memoryMb = 0;
  const heldMb: number[] = [];
  const looking = setInterval(() => {
    const { peak, held } = readMemoryMb(child.pid);
    memoryMb = Math.max(memoryMb, peak);
    if (held > 0) heldMb.push(held);
  }, MEMORY_LOOK_MS);
  const [code] = await once(child, 'close');
  clearInterval(looking);
  if (code !== 0) throw new Error(`${words.join(' ')} ended with ${code}: ${complaint}`);
  return {
    wallMs: performance.now() - before.wall,
    clientCpuMs: readEndedChildrenCpuMs() - before.client,
    databaseCpuMs: readDatabaseCpuMs() - before.database,
    ...{ memoryMb, heldMb },
  };
}

/** Reads the memory that a process holds, and the kernel's high-water mark of it. 0 where the process is gone. */
function readMemoryMb(pid: number | undefined): { readonly peak: number; readonly held: number } {
  let status = '';
  try {
    status = readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {}
  const read = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0) / 1024;
  return { peak: read('VmHWM'), held: read('VmRSS') };
}
