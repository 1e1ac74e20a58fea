import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';

const benchFolder = path.join(import.meta.dirname, '..');

/**
 * Starts a script of `bench/` as a process of its own.
 * Resolves with the first line of its output. The process lives on until it is killed or ends.
 * @throws Error where the script ends before it has printed a line.
 */
export async function startScript(
  script: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv = {},
): Promise<{ process: ChildProcess; firstLine: string }> {
  const child = spawn(process.execPath, [path.join(benchFolder, script), ...args], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout });
  const firstLine = await Promise.race([
    once(lines, 'line').then(([line]) => String(line)),
    once(child, 'exit').then(([code]) => {
      throw new Error(`bench/${script} ended with ${code} and printed nothing`);
    }),
  ]);
  return { process: child, firstLine };
}

/**
 * Runs a script of `bench/` that prints one JSON object and ends.
 * @throws Error where the script prints nothing or ends with another code than 0.
 */
export async function runScript<Result>(
  script: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv = {},
): Promise<Result> {
  const started = await startScript(script, args, environment);
  if (started.process.exitCode === null && started.process.signalCode === null)
    await once(started.process, 'exit');
  if (started.process.exitCode !== 0)
    throw new Error(`bench/${script} ended with ${started.process.exitCode}`);
  return JSON.parse(started.firstLine) as Result;
}
