import { readFileSync } from 'node:fs';
import path from 'node:path';
import { smokeFlags } from '../../bin/aws/smoke-stage.ts';
import { deployFlags, destroyFlags } from '../../bin/aws/stages.ts';
import { readCommand } from '../../bin/commands/run-command.ts';
import { type Flags, readFlags } from '../../bin/terminal/flags.ts';

interface Parsed {
  readonly values: Readonly<Record<string, unknown>>;
  readonly positionals: readonly string[];
}

const TOOLS: Readonly<Record<string, Flags>> = {
  deploy: deployFlags,
  destroy: destroyFlags,
  smoke: smokeFlags,
};

/** What `bin/app.ts` reads of the context. */
const CONTEXT_KEYS = ['config', 'stage', 'paused', 'example'];
const CDK_COMMANDS = ['bootstrap', 'synth', 'deploy', 'destroy', 'ls', 'diff'];

const { scripts }: { scripts: Readonly<Record<string, string>> } = JSON.parse(
  readFileSync(path.resolve(import.meta.dirname, '../../package.json'), 'utf8'),
);

/** A command as somebody would type it in a clone, read by what would run it. Throws where it would be refused. */
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

/** With several stacks in the app, as a stage with a GPU endpoint or the example has, `deploy` and `destroy` want to be told which. */
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
