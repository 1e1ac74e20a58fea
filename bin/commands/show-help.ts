import type { Flags } from '../terminal/read-flags.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { awsCommandList } from './aws-command-list.ts';
import type { Command } from './command.ts';
import { commandList } from './command-list.ts';

export async function showHelp(terminal: Terminal): Promise<void> {
  const commands = [
    ...(await summarize(commandList)),
    { name: 'aws', summary: 'the deployed pipeline: aws --help lists its commands' },
  ];
  terminal.result({ commands });
  terminal.line('Freshet keeps pgvector embeddings in step with the Postgres rows they were made from.');
  terminal.line();
  terminal.line('Usage: npm run freshet -- <command> [flags]');
  terminal.line();
  for (const { name, summary } of commands) terminal.line(`  ${name.padEnd(9)}  ${summary}`);
  terminal.line();
  terminal.line('<command> --help lists its flags. Exit codes: 0 complete, 3 finished with failed items,');
  terminal.line('2 usage or configuration, 1 anything else, 130 interrupted or stopped.');
}

export async function showAwsHelp(terminal: Terminal): Promise<void> {
  const commands = await summarize(awsCommandList);
  terminal.result({ commands });
  terminal.line('Usage: npm run freshet -- aws <command> [--stage NAME] [--region NAME] [--profile NAME]');
  terminal.line();
  for (const { name, summary } of commands) terminal.line(`  ${name.padEnd(9)}  ${summary}`);
  terminal.line();
  terminal.line('What changes something only says so until --apply is given.');
}

async function summarize(commands: typeof commandList): Promise<{ name: string; summary: string }[]> {
  return Promise.all(
    Object.entries(commands).map(async ([name, load]) => ({ name, summary: (await load()).command.summary })),
  );
}

export function showCommandHelp(name: string, command: Command, terminal: Terminal): void {
  const argument = command.argument === undefined ? '' : ` ${command.argument}`;
  const { summary, flags } = command;
  showFlags({ name, usage: `npm run freshet -- ${name}${argument} [flags]`, summary, flags }, terminal);
}

/** What a command or a script of its own is for, and its flags. */
export function showFlags(
  shown: { readonly name: string; readonly usage: string; readonly summary: string; readonly flags: Flags },
  terminal: Terminal,
): void {
  const flags = Object.entries(shown.flags).map(([flag, { placeholder, summary }]) => ({
    usage: `--${flag}${placeholder === undefined ? '' : ` ${placeholder}`}`,
    summary,
  }));
  terminal.result({ command: shown.name, summary: shown.summary, flags });
  terminal.line(`${shown.usage}: ${shown.summary}`);
  terminal.line();
  const width = Math.max(...flags.map(flag => flag.usage.length));
  for (const { usage, summary } of flags) terminal.line(`  ${usage.padEnd(width)}  ${summary}`);
}
