import { nearestWord } from '../../lib/core/config/describe-issues.ts';
import { UsageError } from '../../lib/core/errors.ts';
import { awsCommandList } from '../commands/aws-command-list.ts';
import type { Command } from '../commands/command.ts';
import { commandList } from '../commands/command-list.ts';
import { readFlags } from './read-flags.ts';

/** What the words of a command line ask for. */
export type ReadCommand =
  | { readonly kind: 'help' | 'aws-help' | 'version' }
  | { readonly kind: 'command-help'; readonly name: string; readonly command: Command }
  | {
      readonly kind: 'command';
      /** As people type it, such as `aws status`. */
      readonly name: string;
      readonly command: Command;
      readonly values: Readonly<Record<string, unknown>>;
      readonly positionals: readonly string[];
    };

const HELP: readonly (string | undefined)[] = [undefined, 'help', '--help', '-h'];
const VERSION = ['version', '--version', '-v'];

/** @throws UsageError for a command, a flag or an argument that is not known. Runs nothing. */
export async function readCommand(words: readonly string[]): Promise<ReadCommand> {
  const [name, ...rest] = afterJson(words);
  if (name === 'help' && rest.length > 0 && !rest[0]!.startsWith('-'))
    return readCommand([...rest, '--help']);
  if (HELP.includes(name)) return { kind: 'help' };
  if (VERSION.includes(name!)) return { kind: 'version' };
  if (name !== 'aws') return readListed(commandList, '', name!, rest);
  const [awsName, ...awsRest] = afterJson(rest);
  if (awsName === 'help' && awsRest.length > 0 && !awsRest[0]!.startsWith('-'))
    return readListed(awsCommandList, 'aws ', awsRest[0]!, ['--help']);
  if (HELP.includes(awsName)) return { kind: 'aws-help' };
  return readListed(awsCommandList, 'aws ', awsName!, awsRest);
}

/** `--json` may stand before the command. */
function afterJson(words: readonly string[]): readonly string[] {
  return words[0] === '--json' ? words.slice(1) : words;
}

async function readListed(
  commands: typeof commandList,
  group: string,
  name: string,
  words: readonly string[],
): Promise<ReadCommand> {
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (load === undefined) throw unknownCommand(group, name, words, Object.keys(commands));
  const { command } = await load();
  const { values, positionals } = readFlags(words, command.flags);
  if ('help' in values) return { kind: 'command-help', name: `${group}${name}`, command };
  if (command.argument === undefined && positionals.length > 0)
    throw new UsageError(`${group}${name} takes no argument, got ${JSON.stringify(positionals[0])}.`);
  return { kind: 'command', name: `${group}${name}`, command, values, positionals };
}

function unknownCommand(
  group: string,
  name: string,
  words: readonly string[],
  names: readonly string[],
): UsageError {
  const known = [...names, ...(group === '' ? ['aws', 'help', 'version'] : ['help'])];
  const remedy = `Commands: ${known.join(', ')}`;
  if (name.startsWith('-')) {
    const meant = words.find(word => names.includes(word)) ?? names[0];
    return new UsageError(`${name} stands before the command: ${group}${meant} ${name} …`, remedy);
  }
  const nearest = nearestWord(name, known);
  const suggestion = nearest === undefined ? '' : ` Did you mean ${group}${nearest}?`;
  return new UsageError(`${JSON.stringify(`${group}${name}`)} is not a command.${suggestion}`, remedy);
}
