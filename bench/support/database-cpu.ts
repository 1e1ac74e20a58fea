import { readdirSync, readFileSync } from 'node:fs';

const CLOCK_TICKS_PER_SECOND = 100;

/**
 * User and system CPU of every PostgreSQL process on this machine so far, in milliseconds: living processes, and those that ended as
 * the postmaster accounts for them. Linux only; resolution 10 ms per process.
 */
export function readDatabaseCpuMs(): number {
  let ticks = 0;
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const fields = readStat(entry);
    if (fields === undefined) continue;
    ticks += Number(fields[11]) + Number(fields[12]);
    const parent = readStat(fields[1] ?? '');
    const isPostmaster = parent === undefined;
    if (isPostmaster) ticks += Number(fields[13]) + Number(fields[14]);
  }
  return (ticks * 1000) / CLOCK_TICKS_PER_SECOND;
}

/** The fields of `/proc/<pid>/stat` after the command name, from `state` on; undefined unless it is a PostgreSQL process. */
function readStat(pid: string): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const end = text.lastIndexOf(')');
    if (!text.slice(text.indexOf('(') + 1, end).startsWith('postgres')) return undefined;
    return text.slice(end + 2).split(' ');
  } catch {
    return undefined;
  }
}
