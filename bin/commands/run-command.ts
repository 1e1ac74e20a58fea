import { readFile } from 'node:fs/promises';
import { nearestWord } from '../../lib/core/config/describe-issues.ts';
import { UsageError } from '../../lib/core/errors.ts';
import { type FlagValues, readFlags } from '../terminal/flags.ts';
import { reportError } from '../terminal/reports.ts';
import type { Terminal } from '../terminal/terminal.ts';
import {
  type CommandBody,
  type CommandContext,
  type CommandDefinition,
  type OperatorContext,
  type Place,
  type placeFlags,
  workspaceRequest,
} from './command.ts';
import { flagsAt, GROUPS, listCommands, showCommandHelp, showHelp } from './help.ts';

/** What the words of a command line ask for. */
type ReadCommand =
  | { readonly kind: 'help'; readonly place: Place }
  | { readonly kind: 'version' }
  | {
      readonly kind: 'command-help' | 'command';
      /** As people type it, such as `aws status`. */
      readonly name: string;
      readonly place: Place;
      readonly command: CommandDefinition;
      readonly values: Readonly<Record<string, unknown>>;
      readonly positionals: readonly string[];
    };

const HELP: readonly (string | undefined)[] = [undefined, 'help', '--help', '-h'];
const VERSION = ['version', '--version', '-v'];

/**
 * Reads the words of a command line, and runs nothing.
 * @throws UsageError for a command, a flag or an argument that is not known
 */
export function readCommand(words: readonly string[]): ReadCommand {
  const [name, ...rest] = afterJson(words);
  if (name === 'help' && rest.length > 0 && !rest[0]!.startsWith('-'))
    return readCommand([...rest, '--help']);
  if (HELP.includes(name)) return { kind: 'help', place: 'here' };
  if (VERSION.includes(name!)) return { kind: 'version' };
  if (name !== 'aws') return readListed('here', name!, rest);
  const [awsName, ...awsRest] = afterJson(rest);
  if (awsName === 'help' && awsRest.length > 0 && !awsRest[0]!.startsWith('-'))
    return readListed('stage', awsRest[0]!, ['--help']);
  if (HELP.includes(awsName)) return { kind: 'help', place: 'stage' };
  return readListed('stage', awsName!, awsRest);
}

/** The words without a `--json` that stands before the command. */
function afterJson(words: readonly string[]): readonly string[] {
  return words[0] === '--json' ? words.slice(1) : words;
}

function readListed(place: Place, name: string, words: readonly string[]): ReadCommand {
  const command = new Map(listCommands(place)).get(name);
  if (command === undefined) throw unknownCommand(place, name, words);
  const { values, positionals } = readFlags(words, flagsAt(command, place));
  const typed = `${GROUPS[place]}${name}`;
  const kind = 'help' in values ? 'command-help' : 'command';
  if (kind === 'command' && command.argument === undefined && positionals.length > 0)
    throw new UsageError(`${typed} takes no argument, got ${JSON.stringify(positionals[0])}.`);
  return { kind, name: typed, place, command, values, positionals };
}

function unknownCommand(place: Place, name: string, words: readonly string[]): UsageError {
  const group = GROUPS[place];
  const names = listCommands(place).map(([known]) => known);
  const known = [...names, ...(place === 'here' ? ['aws', 'help', 'version'] : ['help'])];
  const remedy = `Commands: ${known.join(', ')}`;
  if (name.startsWith('-')) {
    const meant = words.find(word => names.includes(word)) ?? names[0];
    return new UsageError(`${name} stands before the command: ${group}${meant} ${name} …`, remedy);
  }
  const nearest = nearestWord(name, known);
  const suggestion = nearest === undefined ? '' : ` Did you mean ${group}${nearest}?`;
  return new UsageError(`${JSON.stringify(`${group}${name}`)} is not a command.${suggestion}`, remedy);
}

type Invoker = Pick<CommandContext, 'terminal' | 'signal' | 'dependencies'>;

/**
 * Runs the command that the words name, and resolves with its exit code. Never rejects.
 * @param dependencies stands in place of AWS and of time; undefined: the real ones
 */
export async function runCommandLine(
  words: readonly string[],
  terminal: Terminal,
  signal: AbortSignal,
  dependencies?: Invoker['dependencies'],
): Promise<number> {
  try {
    return await runNamed(readCommand(words), { terminal, signal, dependencies });
  } catch (error) {
    return reportError(error, terminal);
  }
}

async function runNamed(read: ReadCommand, invoker: Invoker): Promise<number> {
  const { terminal } = invoker;
  if (read.kind === 'help') showHelp(read.place, terminal);
  else if (read.kind === 'version') await showVersion(terminal);
  else if (read.kind === 'command-help') showCommandHelp(read, terminal);
  else {
    const { command, place, values, positionals } = read;
    const context: CommandContext = { flags: values, positionals, ...invoker };
    // The table gives each body the flags that it asks for.
    const body = (await command.load()) as unknown as CommandBody<CommandContext>;
    body.check?.(values);
    if (place === 'stage') return runOnStage(body, context);
    return command.stage === undefined ? body.run(context) : runHere(body, context);
  }
  return 0;
}

/**
 * Runs a command on a deployed stage.
 * Account and region are on standard error before anything of the stage is asked.
 */
async function runOnStage(body: CommandBody<OperatorContext>, context: CommandContext): Promise<number> {
  const { terminal, dependencies } = context;
  const { openDeployment } = await import('../../lib/wiring/deployment.ts');
  const { stage, stack, region, profile } = context.flags as FlagValues<typeof placeFlags.stage>;
  const named = [
    ...(stack === undefined ? [] : [`stack ${stack}`]),
    ...(stack !== undefined && stage === undefined ? [] : [`stage ${stage ?? 'dev'}`]),
  ];
  const deployment = await openDeployment(
    { stage, stack, region, profile },
    ({ account, region: place }) => terminal.note([`Account ${account}`, place, ...named].join(' · ')),
    dependencies,
  );
  const { account, ask } = deployment;
  const result = (object: object) =>
    terminal.result({ account, region: deployment.region, stage: deployment.stage, ...object });
  return body.run({ ...context, ask, here: undefined, deployment, result });
}

/** Runs a command that a stage can answer too, on a database here. */
async function runHere(body: CommandBody<OperatorContext>, context: CommandContext): Promise<number> {
  const { withOperator } = await import('../../lib/wiring/operator.ts');
  const { result } = context.terminal;
  return withOperator(workspaceRequest(context), here =>
    body.run({ ...context, ask: here.ask, here, deployment: undefined, result }),
  );
}

async function showVersion(terminal: Terminal): Promise<void> {
  const { findOwnFile } = await import('../../lib/adapters/own-files.ts');
  const { version }: { version: string } = JSON.parse(await readFile(findOwnFile('package.json'), 'utf8'));
  terminal.result({ version });
  terminal.line(version);
}
