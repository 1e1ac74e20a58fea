import { createBenchDatabase } from './apparatus/database.ts';
import { type Measurement, median } from './apparatus/measurement.ts';
import { runScript, startScript } from './apparatus/run-script.ts';
import { readWordnetRows } from './apparatus/wordnet-rows.ts';

interface Contender {
  readonly name: string;
  readonly script: string;
  readonly args: readonly string[];
}

const USUAL: Contender = { name: 'usual script', script: 'contenders/usual-script.ts', args: [] };
const freshetAt = (batchSize: number): Contender => ({
  name: `freshet, batches of ${batchSize}`,
  script: 'contenders/freshet.ts',
  args: [String(batchSize)],
});

/**
 * Rows that each contender embeds before the rows that count, unmeasured.
 * The same process embeds both. To compile code and to open clients is start-up, whose cost does
 * not grow with the rows.
 */
const WARM_UP_ROWS = 2_000;

interface EmbedBenchOptions {
  readonly rows: number;
  readonly repetitions: number;
  readonly print: (line: string) => void;
}

/**
 * Compares Freshet with the usual script on the same rows, and Freshet by batch size.
 * Both latencies of the provider are measured in one run. Printed are medians, and CPU in
 * milliseconds per 1,000 items.
 */
export async function benchEmbed(serverUrl: string, options: EmbedBenchOptions): Promise<void> {
  const rows = await readWordnetRows(options.rows);
  options.print(
    `${rows.length} WordNet entries, 1536 dimensions, median of ${options.repetitions}; start-up and the first ${WARM_UP_ROWS} rows of each process are left out\n`,
  );
  options.print(
    '| provider latency | contender | items/s | client CPU | database CPU | sum, ms per 1,000 | CPU, times less | speed, times |',
  );
  options.print('|---|---|---|---|---|---|---|---|');
  for (const latencyMs of [0, 50]) {
    const [usual, ...others] = await measureAll(serverUrl, rows, latencyMs, options.repetitions, [
      USUAL,
      ...[100, 50, 200, 500].map(freshetAt),
    ]);
    if (usual === undefined) return;
    for (const line of [usual, ...others]) {
      options.print(
        `| ${latencyMs} ms | ${line.name} | ${line.itemsPerSecond.toFixed(0)} | ${line.clientCpu.toFixed(0)} | ${line.databaseCpu.toFixed(0)} | ${line.cpu.toFixed(0)} | ${(usual.cpu / line.cpu).toFixed(1)} | ${(line.itemsPerSecond / usual.itemsPerSecond).toFixed(1)} |`,
      );
    }
  }
}

interface Line {
  readonly name: string;
  readonly itemsPerSecond: number;
  readonly clientCpu: number;
  readonly databaseCpu: number;
  readonly cpu: number;
}

/**
 * Measures all contenders at one latency.
 * The contenders take turns, so that a slow minute of the machine falls on all of them.
 */
async function measureAll(
  serverUrl: string,
  rows: Awaited<ReturnType<typeof readWordnetRows>>,
  latencyMs: number,
  repetitions: number,
  contenders: readonly Contender[],
): Promise<Line[]> {
  const warmUpRows = rows.slice(0, WARM_UP_ROWS);
  const provider = await startScript('apparatus/serve-embeddings.ts', [String(latencyMs)]);
  const taken = new Map<string, Measurement[]>(contenders.map(({ name }) => [name, []]));
  try {
    for (let repetition = 0; repetition < repetitions; repetition += 1) {
      for (const contender of contenders) {
        const url = await createBenchDatabase(serverUrl, 'freshet_bench', rows);
        const warmUpUrl = await createBenchDatabase(serverUrl, 'freshet_bench_warm_up', warmUpRows);
        const result = await runScript<Measurement>(contender.script, [
          url,
          warmUpUrl,
          provider.firstLine,
          ...contender.args,
        ]);
        if (result.items !== rows.length) {
          throw new Error(`${contender.name} embedded ${result.items} of ${rows.length} rows`);
        }
        taken.get(contender.name)?.push(result);
      }
    }
  } finally {
    provider.process.kill();
  }
  return contenders.map(({ name }) => summarise(name, taken.get(name) ?? []));
}

function summarise(name: string, taken: readonly Measurement[]): Line {
  const perThousand = (ms: (measurement: Measurement) => number) =>
    median(taken.map(measurement => (ms(measurement) / measurement.items) * 1000));
  return {
    name,
    itemsPerSecond: median(taken.map(({ items, wallMs }) => (items / wallMs) * 1000)),
    clientCpu: perThousand(({ clientCpuMs }) => clientCpuMs),
    databaseCpu: perThousand(({ databaseCpuMs }) => databaseCpuMs),
    cpu: perThousand(({ clientCpuMs, databaseCpuMs }) => clientCpuMs + databaseCpuMs),
  };
}
