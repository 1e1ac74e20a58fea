import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ConsoleDependencies } from '../../lib/wiring/deployment.ts';
import type { CommandContext } from '../commands/command.ts';
import { showAwsHelp, showCommandHelp, showHelp } from '../commands/show-help.ts';
import { readCommand } from './read-command.ts';
import { reportError } from './report-error.ts';
import type { Terminal } from './terminal.ts';

/** Runs the command that the words name. `surroundings`: in place of AWS and of time. Resolves with the exit code; never rejects. */
export async function runCommand(
  words: readonly string[],
  terminal: Terminal,
  signal: AbortSignal,
  surroundings?: ConsoleDependencies,
): Promise<number> {
  try {
    return await runNamed(words, { terminal, signal, surroundings });
  } catch (error) {
    return reportError(error, terminal);
  }
}

type Surrounded = Pick<CommandContext, 'terminal' | 'signal' | 'surroundings'>;

async function runNamed(words: readonly string[], context: Surrounded): Promise<number> {
  const { terminal } = context;
  const read = await readCommand(words);
  if (read.kind === 'command') {
    const { command, values, positionals } = read;
    return command.run({ flags: values, positionals, ...context } as unknown as CommandContext<never>);
  }
  if (read.kind === 'command-help') showCommandHelp(read.name, read.command, terminal);
  else if (read.kind === 'version') await showVersion(terminal);
  else if (read.kind === 'help') await showHelp(terminal);
  else await showAwsHelp(terminal);
  return 0;
}

async function showVersion(terminal: Terminal): Promise<void> {
  const file = join(import.meta.dirname, '../../package.json');
  const { version }: { version: string } = JSON.parse(await readFile(file, 'utf8'));
  terminal.result({ version });
  terminal.line(version);
}
