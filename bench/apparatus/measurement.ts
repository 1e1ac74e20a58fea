import { readdirSync, readFileSync } from 'node:fs';
import { onServer } from './database.ts';

export interface Measurement {
  readonly items: number;
  readonly wallMs: number;
  readonly clientCpuMs: number;
  readonly databaseCpuMs: number;
}

/**
 * Starts a measurement, which the function that it returns ends.
 * A caller starts it after imports and connections, so that start-up is left out.
 * @throws Error where the server is on another machine.
 */
export async function startMeasuring(databaseUrl: string): Promise<(items: number) => Measurement> {
  const readDatabaseCpuMs = await watchDatabaseCpu(databaseUrl);
  const cpuAtStart = process.cpuUsage();
  const databaseAtStart = readDatabaseCpuMs();
  const wallAtStart = performance.now();
  return items => {
    const wallMs = performance.now() - wallAtStart;
    const cpu = process.cpuUsage(cpuAtStart);
    return {
      items,
      wallMs,
      clientCpuMs: (cpu.user + cpu.system) / 1000,
      databaseCpuMs: readDatabaseCpuMs() - databaseAtStart,
    };
  };
}

/** Median of at least one number. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? 0)
    : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

const CLOCK_TICKS_PER_SECOND = 100;

/** Places of fields in what `readStat` returns. */
const PARENT = 1;
const OWN_TICKS = [11, 12] as const;
const ENDED_CHILDREN_TICKS = [13, 14] as const;

const toMs = (ticks: number) => (ticks * 1000) / CLOCK_TICKS_PER_SECOND;

/** CPU that the living children of a process used so far, in milliseconds. Linux. */
export function readChildrenCpuMs(parent: string): number {
  let ticks = 0;
  for (const entry of readdirSync('/proc')) {
    const stat = /^\d+$/.test(entry) ? readStat(entry) : undefined;
    if (stat?.[PARENT] === parent) ticks += sumFields(stat, OWN_TICKS);
  }
  return toMs(ticks);
}

/** CPU that the children of this process had used when they ended, in milliseconds. Linux. */
export function readEndedChildrenCpuMs(): number {
  return toMs(sumFields(readStat('self'), ENDED_CHILDREN_TICKS));
}

/**
 * Returns a function that reads the CPU which the server behind a URL has used so far.
 * The CPU is user and system time in milliseconds of all processes of the server: of those that
 * live, and of those that ended, as the postmaster accounts for them. Linux, and a server on this
 * machine; the resolution is 10 ms per process.
 */
export async function watchDatabaseCpu(databaseUrl: string): Promise<() => number> {
  const backend = await onServer(databaseUrl, async client => {
    const { rows } = await client.query('SELECT pg_backend_pid() AS pid');
    return readStat(String(rows[0].pid));
  });
  const postmaster = backend?.[PARENT];
  if (postmaster === undefined)
    throw new Error('the PostgreSQL server is not on this machine: its CPU cannot be read');
  return () =>
    toMs(sumFields(readStat(postmaster), [...OWN_TICKS, ...ENDED_CHILDREN_TICKS])) +
    readChildrenCpuMs(postmaster);
}

function sumFields(stat: readonly string[] | undefined, fields: readonly number[]): number {
  return fields.reduce((sum, field) => sum + Number(stat?.[field] ?? 0), 0);
}

/**
 * Reads the fields of `/proc/<pid>/stat` after the command name, from `state` on.
 * Undefined where the process is gone.
 */
function readStat(pid: string): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
