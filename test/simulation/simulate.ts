import { parseArgs } from 'node:util';
import { INVARIANTS } from './invariants.ts';
import { runSimulations, type SimulationReport, simulateSeed } from './run-simulation.ts';

const USAGE = `npm run simulate -- --seeds N [--start K] [--json]    runs seeds K, K + 1, …, N of them (K is 1 unless given)
                            [--fail-fast]                  ends with the first that breaks an invariant
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

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        seeds: { type: 'string' },
        seed: { type: 'string' },
        start: { type: 'string' },
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

function printViolations({ seed, violations }: SimulationReport): void {
  for (const { invariant, detail } of violations) {
    process.stdout.write(`seed ${seed}: ${invariant}: ${detail}\n    ${INVARIANTS[invariant]}\n`);
  }
}

async function runMany(start: number, seeds: number, json: boolean, failFast: boolean): Promise<boolean> {
  const startedMs = performance.now();
  const usedBefore = process.cpuUsage();
  const failures: SimulationReport[] = [];
  const totals = { steps: 0, portCalls: 0, providerCalls: 0, virtualSeconds: 0, faults: 0 };
  let begun = 0;
  const jobs = function* () {
    for (; begun < seeds && !(failFast && failures.length > 0); begun += 1) yield { seed: start + begun };
  };
  await runSimulations(jobs(), report => {
    if (report.violations.length > 0) failures.push(report);
    for (const key of Object.keys(totals) as (keyof typeof totals)[]) totals[key] += report[key];
  });
  const elapsedSeconds = (performance.now() - startedMs) / 1000;
  const used = process.cpuUsage(usedBefore);
  const cpuSeconds = (used.user + used.system) / 1e6;
  failures.sort((a, b) => a.seed - b.seed);
  const byInvariant: Record<string, number[]> = {};
  for (const { seed, violations } of failures) {
    for (const name of new Set(violations.map(violation => violation.invariant))) {
      byInvariant[name] = [...(byInvariant[name] ?? []), seed];
    }
  }
  const summary = {
    ...{ start, seeds: begun, failed: failures.length, seedsPerSecond: Math.round(begun / elapsedSeconds) },
    ...{ seedsPerCpuSecond: Math.round(begun / cpuSeconds), cpuSeconds: Number(cpuSeconds.toFixed(2)) },
    ...{ elapsedSeconds: Number(elapsedSeconds.toFixed(2)), ...totals },
    byInvariant,
    failures: failures.slice(0, SHOWN_FAILURES).map(({ seed, violations, traceHash }) => ({
      ...{ seed, traceHash, violations, replay: replayCommand(seed) },
    })),
  };
  if (json) process.stdout.write(`${JSON.stringify(summary)}\n`);
  else await printSummary(summary, failures);
  return failures.length === 0;
}

interface Summary {
  readonly seeds: number;
  readonly failed: number;
  readonly seedsPerSecond: number;
  readonly elapsedSeconds: number;
  /** Of processor time, all threads of the process together: what the machine's other work leaves alone. */
  readonly seedsPerCpuSecond: number;
  readonly cpuSeconds: number;
  readonly portCalls: number;
  readonly providerCalls: number;
  readonly virtualSeconds: number;
  readonly faults: number;
  readonly byInvariant: Readonly<Record<string, readonly number[]>>;
}

async function printSummary(summary: Summary, failures: readonly SimulationReport[]): Promise<void> {
  const [first] = failures;
  if (first) {
    for (const line of (await simulateSeed(first.seed, { inWords: true })).trace)
      process.stdout.write(`${line}\n`);
  }
  for (const failure of failures.slice(0, SHOWN_FAILURES)) {
    printViolations(failure);
    process.stdout.write(`    replay: ${replayCommand(failure.seed)}\n`);
  }
  for (const [name, seeds] of Object.entries(summary.byInvariant)) {
    process.stdout.write(`${name}: ${seeds.length} seeds, as ${seeds.slice(0, SHOWN_FAILURES).join(', ')}\n`);
  }
  const days = Math.round(summary.virtualSeconds / 86_400);
  process.stdout.write(
    `${summary.seeds} seeds, ${summary.failed} with violations; ${summary.portCalls} port calls, ${summary.faults} faults, ${summary.providerCalls} provider calls, ${days} days of virtual time in ${summary.elapsedSeconds} s (${summary.seedsPerSecond} seeds per second) and ${summary.cpuSeconds} s of processor time (${summary.seedsPerCpuSecond})\n`,
  );
}

// Failures are simulated by the thousand, and nobody reads where they were made.
Error.stackTraceLimit = 0;
const values = readArguments();
const isWell =
  values.seed === undefined
    ? await runMany(
        readNumber('start', values.start, 1),
        readNumber('seeds', values.seeds, 1000),
        values.json,
        values['fail-fast'],
      )
    : await replay(readNumber('seed', values.seed, 1), values.json);
process.exitCode = isWell ? 0 : 1;
