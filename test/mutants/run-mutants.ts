import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { applyChanges } from './apply-changes.ts';
import type { Mutant } from './mutant.ts';
import { PIPELINE_MUTANTS } from './pipeline-mutants.ts';
import { STATEMENT_MUTANTS } from './statement-mutants.ts';
import { writeMutantTable } from './write-mutant-table.ts';

const USAGE = `npm run mutants [-- --only NAME] [--document]
  Takes one safety mechanism after the other out of a copy and runs what must notice: the simulation, or (with DATABASE_URL) the
  differential suite. --document writes the table of docs/reliability.md; it needs all mutants and DATABASE_URL.
`;
const SEEDS = process.env.FRESHET_MUTANT_SEEDS ?? '10000';
const HISTORIES = process.env.FRESHET_MUTANT_HISTORIES ?? '1000';
const COPIED = [
  'bin',
  'lib',
  'functions',
  'test',
  'package.json',
  'tsconfig.json',
  'vitest.postgres.config.ts',
];

export interface Verdict {
  readonly mutant: Mutant;
  /** What noticed: an invariant and its seed, or an operation and its history. Undefined: it lives. */
  readonly killedBy: string | undefined;
}

function readArguments() {
  try {
    return parseArgs({ options: { only: { type: 'string' }, document: { type: 'boolean', default: false } } })
      .values;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${USAGE}`);
    process.exit(2);
  }
}

function makeCopy(root: string): string {
  const copy = mkdtempSync(path.join(tmpdir(), 'freshet-mutants-'));
  for (const name of COPIED) cpSync(path.join(root, name), path.join(copy, name), { recursive: true });
  symlinkSync(path.join(root, 'node_modules'), path.join(copy, 'node_modules'));
  return copy;
}

function tryMutant(copy: string, mutant: Mutant): Verdict {
  const file = path.join(copy, mutant.file);
  const original = readFileSync(file, 'utf8');
  writeFileSync(file, applyChanges(original, mutant));
  try {
    return { mutant, killedBy: mutant.dies === 'simulation' ? simulate(copy) : replayHistories(copy) };
  } finally {
    writeFileSync(file, original);
  }
}

function simulate(copy: string): string | undefined {
  const run = spawnSync(
    process.execPath,
    ['test/simulation/simulate.ts', '--seeds', SEEDS, '--fail-fast', '--json'],
    {
      cwd: copy,
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    },
  );
  if (run.status !== 0 && run.stdout === '') throw new Error(`The simulation did not start: ${run.stderr}`);
  const { failures } = JSON.parse(run.stdout) as {
    failures: { seed: number; violations: { invariant: string }[] }[];
  };
  const [first] = failures;
  return first && `\`${first.violations[0]?.invariant}\`, seed ${first.seed}`;
}

function replayHistories(copy: string): string | undefined {
  const vitest = path.join(copy, 'node_modules/vitest/vitest.mjs');
  const suite = 'test/postgres/differential.test.ts';
  const run = spawnSync(process.execPath, [vitest, 'run', '--config', 'vitest.postgres.config.ts', suite], {
    cwd: copy,
    encoding: 'utf8',
    env: { ...process.env, FRESHET_DIFFERENTIAL_HISTORIES: HISTORIES, NO_COLOR: '1' },
    maxBuffer: 64 * 1024 * 1024,
  });
  if (run.status === 0) return undefined;
  const difference = /History (\d+) differs at (\w+)/.exec(run.stdout + run.stderr);
  if (!difference) throw new Error(`The differential suite failed otherwise: ${run.stdout}${run.stderr}`);
  return `\`${difference[2]}\`, history ${difference[1]}`;
}

const values = readArguments();
const root = path.resolve(import.meta.dirname, '../..');
const hasServer = (process.env.DATABASE_URL ?? '') !== '';
const mutants = [...PIPELINE_MUTANTS, ...STATEMENT_MUTANTS].filter(
  ({ name, dies }) =>
    (values.only === undefined || values.only === name) && (dies === 'simulation' || hasServer),
);
const copy = makeCopy(root);
const verdicts: Verdict[] = [];
try {
  for (const [dies, check] of [
    ['simulation', simulate],
    ['postgres', replayHistories],
  ] as const) {
    const noticed = mutants.some(mutant => mutant.dies === dies) ? check(copy) : undefined;
    if (noticed !== undefined)
      throw new Error(`The source as it is fails already: ${noticed}. Mend that first.`);
  }
  for (const mutant of mutants) {
    const verdict = tryMutant(copy, mutant);
    verdicts.push(verdict);
    process.stdout.write(`${mutant.name}: ${verdict.killedBy ?? 'LIVES'}\n`);
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}
const living = verdicts.filter(({ killedBy }) => killedBy === undefined);
process.stdout.write(`${verdicts.length} mutants, ${verdicts.length - living.length} killed`);
process.stdout.write(hasServer ? '\n' : '; those of statements were not tried: DATABASE_URL is not set\n');
if (values.document) {
  const revision = execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
    cwd: root,
    encoding: 'utf8',
  }).trim();
  writeMutantTable(path.join(root, 'docs/reliability.md'), verdicts, revision);
}
process.exitCode = living.length === 0 && verdicts.length > 0 ? 0 : 1;
