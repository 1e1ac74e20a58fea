import { readFileSync } from 'node:fs';
import path from 'node:path';
import { smokeFlags } from '../../bin/aws/smoke-stage.ts';
import { deployFlags, destroyFlags } from '../../bin/aws/stages.ts';
import { readCommand } from '../../bin/commands/run-command.ts';
import { type Flags, readFlags } from '../../bin/terminal/flags.ts';

export interface ShellLine {
  /** Page and line, which counts from 1. */
  readonly place: string;
  /** One command, without its prompt, its comment and the commands that it is piped into. */
  readonly command: string;
}

const FENCE = /^\s*(```|~~~)/;
const SHELLS = /^\s*(```|~~~)(sh|bash|shell|console)?\s*$/;
const INDENTED = /^(?: {4,}|\t)(.*)$/;
const TOOL = /^(?:[A-Z_]+=\S+ )*(npm|npx|node|freshet|cdk) /;
const INLINE = /`((?:[A-Z_]+=\S+ )*(?:npm run|npx) [^`]+)`/g;

/** Finds printed help, which another test compares with what the command prints. */
const PRINTED = /<!-- help -->[\s\S]*?<!-- \/help -->/g;

/**
 * Finds the commands that a page asks its reader to type.
 *
 * They are the lines of its shell blocks, and commands of `npm` and `npx` within a sentence.
 */
export function shellLinesOf(page: string, text: string): ShellLine[] {
  const found: ShellLine[] = [];
  let fence: 'none' | 'shell' | 'other' = 'none';
  const typed = text.replace(PRINTED, printed => printed.replace(/[^\n]/g, ''));
  typed.split('\n').forEach((line, index) => {
    const place = `${page}:${index + 1}`;
    if (FENCE.test(line)) {
      fence = fence === 'none' ? (SHELLS.test(line) ? 'shell' : 'other') : 'none';
      return;
    }
    const block = fence === 'shell' ? line : fence === 'none' ? INDENTED.exec(line)?.[1] : undefined;
    const commands =
      block === undefined
        ? fence === 'other'
          ? []
          : [...line.matchAll(INLINE)].map(([, command]) => command!)
        : splitLine(block).filter(command => TOOL.test(`${command} `));
    found.push(...commands.map(command => ({ place, command: stripComment(command) })));
  });
  return found;
}

function splitLine(line: string): string[] {
  return stripComment(line.trim().replace(/^\$ /, ''))
    .split(/\s+(?:&&|\|\|?|;)\s+/)
    .map(command => command.trim());
}

/** Strips the comment from a line of a shell. */
function stripComment(line: string): string {
  return line.replace(/\s+#\s.*$/, '').trim();
}

/**
 * Splits a command into the words that a shell would pass on.
 *
 * @throws {Error} A quote is not closed.
 */
export function wordsOf(command: string): string[] {
  const words = [...command.matchAll(/"([^"]*)"|'([^']*)'|([^\s"']+)/g)].map(
    ([, double, single, bare]) => double ?? single ?? bare!,
  );
  if ((command.replace(/"[^"]*"|'[^']*'/g, '').match(/["']/g) ?? []).length > 0)
    throw new Error(`a quote is not closed: ${command}`);
  return words;
}

interface Parsed {
  readonly values: Readonly<Record<string, unknown>>;
  readonly positionals: readonly string[];
}

const TOOLS: Readonly<Record<string, Flags>> = {
  deploy: deployFlags,
  destroy: destroyFlags,
  smoke: smokeFlags,
};

/** The keys that `bin/app.ts` reads of the context. */
const CONTEXT_KEYS = ['config', 'stage', 'paused', 'example'];
const CDK_COMMANDS = ['bootstrap', 'synth', 'deploy', 'destroy', 'ls', 'diff'];

const { scripts }: { scripts: Readonly<Record<string, string>> } = JSON.parse(
  readFileSync(path.resolve(import.meta.dirname, '../../package.json'), 'utf8'),
);

/**
 * Reads a command, typed in a clone, with the parser that would run it.
 *
 * @throws {Error} The command would be refused.
 */
export async function parseCommand(line: string): Promise<Parsed> {
  const words = line.split(/\s+/).filter(word => word !== '--silent');
  const [program, verb, ...rest] = words;
  if (program === 'npx' && verb === 'cdk') return parseCdk(rest);
  if (program !== 'npm') throw new Error(`${line}: neither npm nor npx cdk`);
  if (verb !== 'run') {
    if (!['ci', 'cit', 'start', 'test', 'pack'].includes(verb!)) throw new Error(`${line}: npm ${verb}?`);
    return { values: {}, positionals: rest };
  }
  const [script, dashes, ...given] = rest;
  if (!Object.hasOwn(scripts, script!)) throw new Error(`${line}: package.json has no script ${script}`);
  if (dashes !== undefined && dashes !== '--') throw new Error(`${line}: npm keeps ${dashes} for itself`);
  if (script === 'freshet') return parseFreshet(given);
  const flags = TOOLS[script!];
  return flags === undefined ? { values: {}, positionals: given } : refuseArguments(readFlags(given, flags));
}

function refuseArguments(parsed: Parsed): Parsed {
  if (parsed.positionals.length > 0)
    throw new Error(`no argument is taken, got ${parsed.positionals.join(' ')}`);
  return parsed;
}

async function parseFreshet(words: readonly string[]): Promise<Parsed> {
  const read = readCommand(words);
  if (read.kind !== 'command') return { values: {}, positionals: [] };
  const { values, positionals } = read;
  return { values, positionals };
}

/**
 * Reads a command of `cdk`.
 *
 * Where the app has several stacks, as with a GPU endpoint or the example, `deploy` and
 * `destroy` must be told which.
 */
function parseCdk([command = '', ...words]: readonly string[]): Parsed {
  if (!CDK_COMMANDS.includes(command)) throw new Error(`cdk ${command}: there is no such command`);
  const values: Record<string, unknown> = {};
  const positionals: string[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at]!;
    if (word === '-c') {
      const [key = '', value] = words[++at]?.split('=') ?? [];
      if (!CONTEXT_KEYS.includes(key) || value === undefined)
        throw new Error(`cdk ${command} -c ${key}: not read`);
      values[key] = value;
    } else if (['--all', '--quiet', '--no-install'].includes(word)) values[word.slice(2)] = true;
    else if (word.startsWith('-')) throw new Error(`cdk ${command} ${word}: not a flag that is known here`);
    else positionals.push(word);
  }
  const chooses = positionals.length > 0 || values.all === true;
  if (['deploy', 'destroy'].includes(command) && !chooses && words.length > 0)
    throw new Error(`cdk ${command} ${words.join(' ')}: name the stacks, or --all`);
  return { values, positionals };
}
