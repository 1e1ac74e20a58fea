import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { INVARIANTS } from './invariants.ts';
import { simulateSeed } from './run-simulation.ts';
import { addTotals, type Failure, type RangeReport, type Totals } from './simulate-range.ts';
import { simulateSeeds } from './simulate-seeds.ts';

const USAGE = `npm run simulate -- --seeds N [--start K] [--json]    runs seeds K, K + 1, …, N of them (K is 1 unless given)
                            [--fail-fast]                  ends with the first that breaks an invariant
                            [--workers W]                  in W threads, as many as there are processors unless given
npm run simulate -- --seed S [--json]                 runs one seed and prints its trace
`;
const SHOWN_FAILURES = 10;

function readNumber(name: string, value: string | undefined, otherwise: number): number {
  if (value === undefined) return otherwise;
  const number = Number(value);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  process.stderr.write(`--${name} takes a whole number from 0 on, not "${value}".\n${USAGE}`);
  process.exit(2);
}

/** At least one: a run of nothing shows nothing. */
function readCount(name: string, value: string | undefined, otherwise: number): number {
  const count = readNumber(name, value, otherwise);
  if (count > 0) return count;
  process.stderr.write(`--${name} takes a whole number from 1 on.\n${USAGE}`);
  process.exit(2);
}

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        seeds: { type: 'string' },
        seed: { type: 'string' },
        start: { type: 'string' },
        workers: { type: 'string' },
        json: { type: 'boolean', default: false },
        'fail-fast': { type: 'boolean', default: false },
      },
    });
    return values;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${USAGE}`);
    process.exit(2);
  }
}

const replayCommand = (seed: number) => `npm run simulate -- --seed ${seed}`;

/** One seed, in words. */
async function replay(seed: number, json: boolean): Promise<boolean> {
  const report = await simulateSeed(seed, { inWords: true });
  if (json) process.stdout.write(`${JSON.stringify({ ...report, replay: replayCommand(seed) })}\n`);
  else {
    for (const line of report.trace) process.stdout.write(`${line}\n`);
    printViolations(report);
    process.stdout.write(`seed ${seed}: ${report.violations.length} violations, trace ${report.traceHash}\n`);
  }
  return report.violations.length === 0;
}

function printViolations({ seed, violations }: Failure): void {
  for (const { invariant, detail } of violations) {
    process.stdout.write(`seed ${seed}: ${invariant}: ${detail}\n    ${INVARIANTS[invariant]}\n`);
  }
}

interface Course {
  readonly start: number;
  readonly seeds: number;
  readonly workers: number;
  readonly failFast: boolean;
}

async function runMany(course: Course, json: boolean): Promise<boolean> {
  const startedMs = performance.now();
  const reports: RangeReport[] = [];
  await simulateSeeds(course, course, report => reports.push(report));
  const elapsedSeconds = (performance.now() - startedMs) / 1000;
  const summary = summarize(course, reports, elapsedSeconds);
  if (json) process.stdout.write(`${JSON.stringify(summary)}\n`);
  else await printSummary(summary);
  return summary.failed === 0;
}

function summarize({ start, workers }: Course, reports: readonly RangeReport[], elapsedSeconds: number) {
  const failures = reports.flatMap(report => report.failures).sort((a, b) => a.seed - b.seed);
  const seeds = reports.reduce((sum, report) => sum + report.seeds, 0);
  const cpuSeconds = reports.reduce((sum, report) => sum + report.cpuSeconds, 0);
  const byInvariant: Record<string, number[]> = {};
  for (const { seed, violations } of failures) {
    for (const name of new Set(violations.map(violation => violation.invariant))) {
      byInvariant[name] = [...(byInvariant[name] ?? []), seed];
    }
  }
  return {
    ...{ start, seeds, failed: failures.length, workers, seedsPerSecond: Math.round(seeds / elapsedSeconds) },
    ...{ seedsPerCpuSecond: Math.round(seeds / cpuSeconds), cpuSeconds: Number(cpuSeconds.toFixed(2)) },
    elapsedSeconds: Number(elapsedSeconds.toFixed(2)),
    ...reports.map(({ totals }) => totals).reduce(addTotals),
    byInvariant,
    failures: failures
      .slice(0, SHOWN_FAILURES)
      .map(failure => ({ ...failure, replay: replayCommand(failure.seed) })),
  } satisfies Summary;
}

interface Summary extends Totals {
  readonly seeds: number;
  readonly failed: number;
  readonly workers: number;
  readonly seedsPerSecond: number;
  readonly elapsedSeconds: number;
  /** Of processor time, all threads that simulate together: what the machine's other work leaves alone. */
  readonly seedsPerCpuSecond: number;
  readonly cpuSeconds: number;
  readonly byInvariant: Readonly<Record<string, readonly number[]>>;
  /** The first of them. */
  readonly failures: readonly Failure[];
}

async function printSummary(summary: Summary): Promise<void> {
  const [first] = summary.failures;
  if (first) {
    for (const line of (await simulateSeed(first.seed, { inWords: true })).trace)
      process.stdout.write(`${line}\n`);
  }
  for (const failure of summary.failures) {
    printViolations(failure);
    process.stdout.write(`    replay: ${replayCommand(failure.seed)}\n`);
  }
  for (const [name, seeds] of Object.entries(summary.byInvariant)) {
    process.stdout.write(`${name}: ${seeds.length} seeds, as ${seeds.slice(0, SHOWN_FAILURES).join(', ')}\n`);
  }
  const days = Math.round(summary.virtualSeconds / 86_400);
  process.stdout.write(
    `${summary.seeds} seeds, ${summary.failed} with violations; ${summary.portCalls} port calls, ${summary.faults} faults, ${summary.providerCalls} provider calls, ${days} days of virtual time in ${summary.elapsedSeconds} s on ${summary.workers} threads (${summary.seedsPerSecond} seeds per second) and ${summary.cpuSeconds} s of processor time (${summary.seedsPerCpuSecond})\n`,
  );
}

// Failures are simulated by the thousand, and nobody reads where they were made.
Error.stackTraceLimit = 0;
const values = readArguments();
const isWell =
  values.seed === undefined
    ? await runMany(
        {
          start: readNumber('start', values.start, 1),
          seeds: readCount('seeds', values.seeds, 1000),
          workers: readCount('workers', values.workers, availableParallelism()),
          failFast: values['fail-fast'],
        },
        values.json,
      )
    : await replay(readNumber('seed', values.seed, 1), values.json);
process.exitCode = isWell ? 0 : 1;
