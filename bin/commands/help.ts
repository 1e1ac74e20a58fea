import { FRESHET } from '../../lib/core/own-command.ts';
import { type Flags, showFlags } from '../terminal/flags.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { type CommandDefinition, EXIT_CODES, type Place, placeFlags } from './command.ts';
import { commandTable } from './table.ts';

/** What stands before the name of a command at a place. */
export const GROUPS: Readonly<Record<Place, string>> = { here: '', stage: 'aws ' };

/** Codes that every command can end with. */
const COMMON_EXIT_CODES = [0, 1, 2, 130] as const;

/** The commands of a place with their names, in the order of the table. */
export function listCommands(place: Place): readonly (readonly [string, CommandDefinition])[] {
  const all: readonly (readonly [string, CommandDefinition])[] = Object.entries(commandTable);
  return all.filter(([, command]) => command[place] !== undefined);
}

/** Flags of a command at a place: its own first, then those of every command there. */
export function flagsAt(command: CommandDefinition, place: Place): Flags {
  return { ...command.flags, ...command[place]?.flags, ...placeFlags[place] };
}

/** Codes that a command can end with, the lowest first. */
function exitCodesOf({ exitCodes = [] }: CommandDefinition): readonly (keyof typeof EXIT_CODES)[] {
  return [...COMMON_EXIT_CODES, ...exitCodes].toSorted((left, right) => left - right);
}

/** Lists the commands of a place. */
export function showHelp(place: Place, terminal: Terminal): void {
  const commands = listCommands(place).map(([name, command]) => ({
    name,
    summary: command[place]!.summary,
  }));
  if (place === 'here')
    commands.push({ name: 'aws', summary: 'the deployed pipeline: aws --help lists its commands' });
  terminal.result({ commands });
  const usage = {
    here: [
      'Freshet keeps pgvector embeddings in step with the Postgres rows they were made from.',
      '',
      `Usage: ${FRESHET} <command> [flags]`,
    ],
    stage: [`Usage: ${FRESHET} aws <command> [--stage NAME] [--stack NAME] [--region NAME] [--profile NAME]`],
  };
  for (const line of usage[place]) terminal.line(line);
  terminal.line();
  for (const { name, summary } of commands) terminal.line(`  ${name.padEnd(9)}  ${summary}`);
  terminal.line();
  const notes = {
    here: [
      '<command> --help lists its flags and the codes that it can end with. Exit codes:',
      '',
      ...Object.entries(EXIT_CODES).map(([code, meaning]) => `  ${code.padEnd(9)}  ${meaning}`),
    ],
    stage: ['What changes something only says so until --apply is given.'],
  };
  for (const line of notes[place]) terminal.line(line);
}

/** Says what a command does, its flags, the keys of its JSON object and its exit codes. */
export function showCommandHelp(
  {
    name,
    command,
    place,
  }: { readonly name: string; readonly command: CommandDefinition; readonly place: Place },
  terminal: Terminal,
): void {
  const argument = command.argument === undefined ? '' : ` ${command.argument}`;
  const { summary, keys } = command[place]!;
  const exitCodes = exitCodesOf(command);
  showFlags(
    {
      name,
      usage: `${FRESHET} ${name}${argument} [flags]`,
      summary,
      flags: flagsAt(command, place),
      details: { keys, exitCodes },
    },
    terminal,
  );
  terminal.line();
  terminal.line(`  --json gives ${keys.join(', ')}.`);
  terminal.line(`  Ends with ${exitCodes.join(', ')}.`);
}
