import { readdirSync, readFileSync } from 'node:fs';
import { withConnection } from '../../test/database/on-server.ts';

export interface Measurement {
  readonly items: number;
  readonly wallMs: number;
  readonly clientCpuMs: number;
  readonly databaseCpuMs: number;
}

/**
 * Starts a measurement of time and CPU, which the returned function ends.
 *
 * Call it after imports and connections, so that start-up is left out.
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

const CLOCK_TICKS_PER_SECOND = 100;
const PARENT = 1;
const OWN_TICKS = [11, 12] as const;
const ENDED_CHILDREN_TICKS = [13, 14] as const;

/**
 * Finds the server behind a URL and returns a function that reads its CPU so far, in ms.
 *
 * That is the user and system time of its living processes and of those that ended, as the
 * postmaster accounts for them, with a resolution of 10 ms per process. Linux only.
 * @throws {Error} The server is not on this machine.
 */
export async function watchDatabaseCpu(databaseUrl: string): Promise<() => number> {
  const backend = await withConnection(databaseUrl, async client => {
    const { rows } = await client.query('SELECT pg_backend_pid() AS pid');
    return readStat(String(rows[0].pid));
  });
  const postmaster = backend?.[PARENT];
  if (postmaster === undefined)
    throw new Error('the PostgreSQL server is not on this machine: its CPU cannot be read');
  return () => {
    let ticks = sumFields(readStat(postmaster), [...OWN_TICKS, ...ENDED_CHILDREN_TICKS]);
    for (const entry of readdirSync('/proc')) {
      const stat = /^\d+$/.test(entry) ? readStat(entry) : undefined;
      if (stat?.[PARENT] === postmaster) ticks += sumFields(stat, OWN_TICKS);
    }
    return (ticks * 1000) / CLOCK_TICKS_PER_SECOND;
  };
}

function sumFields(stat: readonly string[] | undefined, fields: readonly number[]): number {
  return fields.reduce((sum, field) => sum + Number(stat?.[field] ?? 0), 0);
}

/** Reads the fields of `/proc/<pid>/stat` from `state` on; undefined: the process is gone. */
function readStat(pid: string): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
