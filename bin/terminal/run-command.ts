import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { nearestWord } from '../../lib/core/config/nearest-word.ts';
import { UsageError } from '../../lib/core/errors/usage-error.ts';
import type { CommandContext } from '../commands/command.ts';
import { commandList } from '../commands/command-list.ts';
import { showCommandHelp, showHelp } from '../commands/show-help.ts';
import { readFlags } from './read-flags.ts';
import { reportError } from './report-error.ts';
import type { Terminal } from './terminal.ts';

/** Runs the command that the words name. Resolves with the exit code; never rejects. */
export async function runCommand(
  words: readonly string[],
  terminal: Terminal,
  signal: AbortSignal,
): Promise<number> {
  try {
    return await runNamed(words, terminal, signal);
  } catch (error) {
    return reportError(error, terminal);
  }
}

async function runNamed(words: readonly string[], terminal: Terminal, signal: AbortSignal): Promise<number> {
  const [name, ...rest] = words.filter((word, index) => index > 0 || word !== '--json');
  if (name === undefined || ['help', '--help', '-h'].includes(name)) {
    await showHelp(terminal);
    return 0;
  }
  if (['version', '--version', '-v'].includes(name)) {
    await showVersion(terminal);
    return 0;
  }
  const load = Object.hasOwn(commandList, name) ? commandList[name] : undefined;
  if (load === undefined) throw unknownCommand(name);
  const { command } = await load();
  const { values, positionals } = readFlags(rest, command.flags);
  if ('help' in values) {
    showCommandHelp(name, command, terminal);
    return 0;
  }
  if (command.argument === undefined && positionals.length > 0)
    throw new UsageError(`${name} takes no argument, got ${JSON.stringify(positionals[0])}.`);
  const context = { flags: values, positionals, terminal, signal };
  return command.run(context as unknown as CommandContext<never>);
}

async function showVersion(terminal: Terminal): Promise<void> {
  const file = join(import.meta.dirname, '../../package.json');
  const { version }: { version: string } = JSON.parse(await readFile(file, 'utf8'));
  terminal.result({ version });
  terminal.line(version);
}

function unknownCommand(name: string): UsageError {
  const known = [...Object.keys(commandList), 'help', 'version'];
  const nearest = nearestWord(name, known);
  const suggestion = nearest === undefined ? '' : ` Did you mean ${nearest}?`;
  return new UsageError(
    `${JSON.stringify(name)} is not a command.${suggestion}`,
    `Commands: ${known.join(', ')}`,
  );
}
