import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const program = join(import.meta.dirname, '../../bin/freshet.ts');

/** As the scripts of package.json preload it, so that starts share what Node made of the sources. */
const preloaded = join(import.meta.dirname, '../../bin/compile-cache.cjs');

export interface CliResult {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

export interface RunningCli {
  readonly child: ChildProcess;
  /** Resolves when standard error holds the text; rejects when the process ends before. */
  errorsInclude(text: string): Promise<void>;
  readonly ended: Promise<CliResult>;
}

/** Starts the real command line in a folder, with nothing of this process's settings but what `environment` gives. */
export function startCli(
  directory: string,
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): RunningCli {
  const child = spawn(process.execPath, ['--require', preloaded, program, ...words], {
    cwd: directory,
    env: { PATH: process.env.PATH, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', text => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', text => {
    errors += text;
  });
  const ended = new Promise<CliResult>(resolve => {
    child.on('close', code => resolve({ code, output, errors }));
  });
  const errorsInclude = (text: string) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (errors.includes(text)) resolve();
      };
      look();
      child.stderr.on('data', look);
      child.on('close', code => reject(new Error(`ended with ${code} before "${text}": ${errors}`)));
    });
  return { child, errorsInclude, ended };
}

export function runCli(
  directory: string,
  words: readonly string[],
  environment?: Readonly<Record<string, string>>,
): Promise<CliResult> {
  return startCli(directory, words, environment).ended;
}

/** The one object that a command prints with `--json`; throws where standard output holds anything else. */
export function readObject(result: CliResult): Record<string, unknown> {
  const lines = result.output.split('\n');
  if (lines.length !== 2 || lines[1] !== '')
    throw new Error(`expected one line on standard output, got ${result.output}\n${result.errors}`);
  return JSON.parse(lines[0]!);
}

export function makeFolder(): { directory: string; remove: () => void } {
  const directory = mkdtempSync(join(tmpdir(), 'freshet-'));
  return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) };
}
