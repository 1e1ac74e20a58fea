import { watchDatabaseCpu } from './database-cpu.ts';

export interface Measurement {
  readonly items: number;
  readonly wallMs: number;
  readonly clientCpuMs: number;
  readonly databaseCpuMs: number;
}

/** Starts after imports and connections, so that start-up is left out; the function it returns ends the measurement. */
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
