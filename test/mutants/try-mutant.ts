import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { applyChanges } from './apply-changes.ts';
import type { Mutant } from './mutant.ts';

export const SEEDS = Number(process.env.FRESHET_MUTANT_SEEDS ?? 10_000);
export const HISTORIES = Number(process.env.FRESHET_MUTANT_HISTORIES ?? 1_000);
/** What the simulation leaves out, held by tests of its own. */
const LOCAL_RUN_SUITES = [
  'test/core/dispatch/batch-tier.test.ts',
  'test/pipeline/doubtful-answers.test.ts',
  'test/pipeline/ending-run.test.ts',
  'test/pipeline/fair-turns.test.ts',
  'test/pipeline/half-vectors.test.ts',
  'test/pipeline/look-ahead.test.ts',
  'test/pipeline/remember-for-round.test.ts',
  'test/pipeline/slow-server.test.ts',
  'test/pipeline/starving-calls.test.ts',
  'test/pipeline/unreadable-replies.test.ts',
];
/** What happens to the neighbours of a row that the database refuses to write or to look at. */
const BAD_ROW_SUITES = ['test/database/one-bad-row.test.ts', 'test/database/one-bad-look.test.ts'];
/** What keeps a bill within its caps, and calls within what a provider allows a minute. */
const LIMIT_SUITES = [
  'test/database/caps.test.ts',
  'test/database/necessary-spending.test.ts',
  'test/database/query-ledger.test.ts',
  'test/database/rates.test.ts',
  'test/pipeline/bills-above-estimates.test.ts',
  'test/pipeline/edits-of-held-rows.test.ts',
  'test/pipeline/halved-limit.test.ts',
  'test/pipeline/rates.test.ts',
  'test/pipeline/refused-sizes.test.ts',
  'test/serve/queries.test.ts',
  'test/pipeline/guard-pipeline.test.ts',
  'test/pipeline/spending.test.ts',
];
/** What a search shows to whom, and which tokens are let in. */
const SEARCH_SUITES = [
  'test/database/search-counting.test.ts',
  'test/database/search-function.test.ts',
  'test/database/keywords.test.ts',
  'test/database/search-words.test.ts',
  'test/database/search.test.ts',
  'test/serve/search.test.ts',
  'test/serve/tokens.test.ts',
];
/** Who is let in by the API on AWS, and what it answers. */
const API_SUITES = [
  'test/functions/api.test.ts',
  'test/constructs/service-api.test.ts',
  'test/pipeline/nudged-looks.test.ts',
];
/** What the service refuses, computes and says, and what its models are made of. */
const SERVICE_SUITES = [
  'test/adapters/local/local-provider.test.ts',
  'test/adapters/local/model-files.test.ts',
  'test/adapters/static/static-provider.test.ts',
  'test/core/reply/require-vectors.test.ts',
  'test/serve/answers.test.ts',
  'test/serve/embed-texts.test.ts',
  'test/serve/queue.test.ts',
  'test/serve/serve-command.test.ts',
  'test/serve/warm-up.test.ts',
];
/** What tenants see of each other's texts, and what is left of one that was erased or is not kept. */
const DOCUMENT_SUITES = [
  'test/database/documents.test.ts',
  'test/database/search-jobs.test.ts',
  'test/postgres/erasing-documents.test.ts',
];
const SUITES = {
  'local-run': LOCAL_RUN_SUITES,
  'bad-row': BAD_ROW_SUITES,
  limits: LIMIT_SUITES,
  search: SEARCH_SUITES,
  api: API_SUITES,
  service: SERVICE_SUITES,
  documents: DOCUMENT_SUITES,
  batches: ['test/batches/histories.test.ts', 'test/batches/late-upload.test.ts'],
} as const;
/** As `npm test` has it: a busy machine must not look as if something had been noticed. */
const TEST_TIMEOUT_MS = 60_000;
const COPIED = [
  'bin',
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
    return { mutant, killedBy: await lookFor(copy, mutant.dies, 1) };
  } catch (error) {
    return { mutant, killedBy: undefined, trouble: (error as Error).message };
  } finally {
    writeFileSync(file, original);
  }
}

/** What notices that something is wrong with the copy; undefined: nothing does. */
export function lookFor(copy: string, dies: Mutant['dies'], workers: number): Promise<string | undefined> {
  if (dies === 'simulation') return simulate(copy, workers);
  if (dies === 'postgres') return replayHistories(copy);
  return runSuites(copy, SUITES[dies]);
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
    // The first failure says it all.
    ...[vitest, 'run', '--bail', '1', '--reporter', 'json', '--outputFile', report],
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
