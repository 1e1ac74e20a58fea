import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { nearestWord } from '../../lib/core/config/nearest-word.ts';
import { UsageError } from '../../lib/core/errors/usage-error.ts';
import type { ConsoleSurroundings } from '../../lib/wiring/aws/open-deployment.ts';
import { awsCommandList } from '../commands/aws-command-list.ts';
import type { CommandContext } from '../commands/command.ts';
import { commandList } from '../commands/command-list.ts';
import { showAwsHelp, showCommandHelp, showHelp } from '../commands/show-help.ts';
import { readFlags } from './read-flags.ts';
import { reportError } from './report-error.ts';
import type { Terminal } from './terminal.ts';

/** Runs the command that the words name. `surroundings`: in place of AWS and of time. Resolves with the exit code; never rejects. */
export async function runCommand(
  words: readonly string[],
  terminal: Terminal,
  signal: AbortSignal,
  surroundings?: ConsoleSurroundings,
): Promise<number> {
  try {
    return await runNamed(words, { terminal, signal, surroundings });
  } catch (error) {
    return reportError(error, terminal);
  }
}

type Surrounded = Pick<CommandContext, 'terminal' | 'signal' | 'surroundings'>;

const HELP: readonly (string | undefined)[] = [undefined, 'help', '--help', '-h'];

async function runNamed(words: readonly string[], context: Surrounded): Promise<number> {
  const [name, ...rest] = afterJson(words);
  const { terminal } = context;
  if (HELP.includes(name)) {
    await showHelp(terminal);
    return 0;
  }
  if (['version', '--version', '-v'].includes(name!)) {
    await showVersion(terminal);
    return 0;
  }
  if (name !== 'aws') return runListed(commandList, '', name!, rest, context);
  const [awsName, ...awsRest] = afterJson(rest);
  if (!HELP.includes(awsName)) return runListed(awsCommandList, 'aws ', awsName!, awsRest, context);
  await showAwsHelp(terminal);
  return 0;
}

/** `--json` may stand before the command. */
function afterJson(words: readonly string[]): readonly string[] {
  return words[0] === '--json' ? words.slice(1) : words;
}

async function runListed(
  commands: typeof commandList,
  group: string,
  name: string,
  words: readonly string[],
  context: Surrounded,
): Promise<number> {
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (load === undefined) throw unknownCommand(group, name, Object.keys(commands));
  const { command } = await load();
  const { values, positionals } = readFlags(words, command.flags);
  if ('help' in values) {
    showCommandHelp(`${group}${name}`, command, context.terminal);
    return 0;
  }
  if (command.argument === undefined && positionals.length > 0)
    throw new UsageError(`${group}${name} takes no argument, got ${JSON.stringify(positionals[0])}.`);
  return command.run({ flags: values, positionals, ...context } as unknown as CommandContext<never>);
}

async function showVersion(terminal: Terminal): Promise<void> {
  const file = join(import.meta.dirname, '../../package.json');
  const { version }: { version: string } = JSON.parse(await readFile(file, 'utf8'));
  terminal.result({ version });
  terminal.line(version);
}

function unknownCommand(group: string, name: string, names: readonly string[]): UsageError {
  const known = [...names, ...(group === '' ? ['aws', 'help', 'version'] : ['help'])];
  const nearest = nearestWord(name, known);
  const suggestion = nearest === undefined ? '' : ` Did you mean ${group}${nearest}?`;
  return new UsageError(
    `${JSON.stringify(`${group}${name}`)} is not a command.${suggestion}`,
    `Commands: ${known.join(', ')}`,
  );
}
