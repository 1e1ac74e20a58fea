import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { applyChanges } from './apply-changes.ts';
import type { Mutant } from './mutant.ts';
import { PLACES } from './places.ts';

export const SEEDS = Number(process.env.FRESHET_MUTANT_SEEDS ?? 10_000);
export const HISTORIES = Number(process.env.FRESHET_MUTANT_HISTORIES ?? 1_000);
/** As `npm test` has it: a busy machine must not look as if something had been noticed. */
const TEST_TIMEOUT_MS = 60_000;
const COPIED = [
  'bin',
  'examples',
  'lib',
  'functions',
  'models',
  'test',
  'cdk.json',
  'package.json',
  'tsconfig.json',
  'vitest.postgres.config.ts',
];

export interface Verdict {
  readonly mutant: Mutant;
  /** What noticed: an invariant and its seed, an operation and its history, or a test. Undefined: it lives, or nobody can say. */
  readonly killedBy: string | undefined;
  /** Why nobody can say: what had to notice failed in another way. */
  readonly trouble?: string;
}

/** A copy of the source that a mutant may be put into; whoever makes it removes it. */
export function makeCopy(root: string): string {
  const copy = mkdtempSync(path.join(tmpdir(), 'freshet-mutants-'));
  for (const name of COPIED) cpSync(path.join(root, name), path.join(copy, name), { recursive: true });
  symlinkSync(path.join(root, 'node_modules'), path.join(copy, 'node_modules'));
  return copy;
}

/** In a copy that nobody else works on; the copy is whole again afterwards. */
export async function tryMutant(copy: string, mutant: Mutant): Promise<Verdict> {
  const file = path.join(copy, mutant.file);
  const original = readFileSync(file, 'utf8');
  try {
    writeFileSync(file, applyChanges(original, mutant));
    return { mutant, killedBy: await lookFor(copy, { dies: mutant.dies, suites: suitesOf([mutant]) }, 1) };
  } catch (error) {
    return { mutant, killedBy: undefined, trouble: (error as Error).message };
  } finally {
    writeFileSync(file, original);
  }
}

/** A part of what there is to notice with: a place, and the test files of it. */
export interface Watch {
  readonly dies: Mutant['dies'];
  readonly suites: readonly string[];
}

/** The source as it is must pass wherever a mutant is tried, or every mutant of that place would look killed. */
export async function requireSound(
  mutants: readonly Mutant[],
  look: (watch: Watch) => Promise<string | undefined>,
): Promise<void> {
  for (const dies of new Set(mutants.map(mutant => mutant.dies))) {
    const noticed = await look({ dies, suites: suitesOf(mutants.filter(mutant => mutant.dies === dies)) });
    const { name } = PLACES[dies];
    if (noticed !== undefined)
      throw new Error(`The source as it is fails already (${name}): ${noticed}. Mend that first.`);
    process.stdout.write(`the source as it is passes: ${name}\n`);
  }
}

const suitesOf = (mutants: readonly Mutant[]) => [...new Set(mutants.flatMap(({ suite }) => suite ?? []))];

/** What notices that something is wrong with the copy; undefined: nothing does. */
export function lookFor(copy: string, { dies, suites }: Watch, workers: number): Promise<string | undefined> {
  const { tries } = PLACES[dies];
  if (tries === 'seeds') return simulate(copy, workers);
  if (tries === 'histories') return replayHistories(copy);
  return runSuites(copy, suites);
}

async function simulate(copy: string, workers: number): Promise<string | undefined> {
  const script = 'test/simulation/simulate.ts';
  const run = await runNode(copy, [
    ...[script, '--seeds', String(SEEDS), '--workers', String(workers), '--fail-fast', '--json'],
  ]);
  if (run.status !== 0 && run.stdout === '') throw new Error(`The simulation did not start: ${run.stderr}`);
  const { failures } = JSON.parse(run.stdout) as {
    failures: { seed: number; violations: { invariant: string }[] }[];
  };
  const [first] = failures;
  return first && `\`${first.violations[0]?.invariant}\`, seed ${first.seed}`;
}

async function replayHistories(copy: string): Promise<string | undefined> {
  const vitest = path.join(copy, 'node_modules/vitest/vitest.mjs');
  const suite = 'test/postgres/differential.test.ts';
  const run = await runNode(copy, [vitest, 'run', '--config', 'vitest.postgres.config.ts', suite], {
    FRESHET_DIFFERENTIAL_HISTORIES: String(HISTORIES),
    NO_COLOR: '1',
  });
  if (run.status === 0) return undefined;
  const difference = /History (\d+) differs at (\w+)/.exec(run.stdout + run.stderr);
  if (!difference) throw new Error(`The differential suite failed otherwise: ${run.stdout}${run.stderr}`);
  return `\`${difference[2]}\`, history ${difference[1]}`;
}

/** Without the configuration of `npm test`, which a copy lacks: these tests need nothing of it. */
async function runSuites(copy: string, suites: readonly string[]): Promise<string | undefined> {
  const vitest = path.join(copy, 'node_modules/vitest/vitest.mjs');
  const report = path.join(copy, 'report.json');
  const run = await runNode(copy, [
    // The first failure says it all. Test files share their modules: they are read once.
    ...[vitest, 'run', '--no-isolate', '--bail', '1', '--reporter', 'json', '--outputFile', report],
    ...['--testTimeout', String(TEST_TIMEOUT_MS), '--hookTimeout', String(TEST_TIMEOUT_MS), ...suites],
  ]);
  if (run.status === 0) return undefined;
  const failed = findFailedTest(readFileSync(report, 'utf8'));
  if (failed === undefined) throw new Error(`The tests failed otherwise: ${run.stdout}${run.stderr}`);
  return failed;
}

function findFailedTest(report: string): string | undefined {
  const { testResults } = JSON.parse(report) as {
    testResults: { assertionResults: { status: string; fullName: string }[] }[];
  };
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
  return tests.find(({ status }) => status === 'failed')?.fullName;
}

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function runNode(cwd: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd, env: { ...process.env, ...environment } });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', status => resolve({ status, stdout, stderr }));
  });
}
