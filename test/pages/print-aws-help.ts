import { placeFlags } from '../../bin/commands/command.ts';
import { listCommands, showCommandHelp, showHelp } from '../../bin/commands/help.ts';
import type { Terminal } from '../../bin/terminal/terminal.ts';

const ON_EVERY_COMMAND = Object.keys(placeFlags.stage);

function collect(show: (terminal: Terminal) => void): string[] {
  const lines: string[] = [];
  show({ line: (text = '') => lines.push(text), result: () => {} } as unknown as Terminal);
  return lines;
}

/** What the commands of `freshet aws` print about themselves, indented as code; what is said of all of them is said once. */
export function printAwsHelp(): string {
  const isOfAll = (line: string) =>
    ON_EVERY_COMMAND.some(flag => line.startsWith(`  --${flag} `)) || line.startsWith('  Ends with ');
  const blocks = listCommands('stage').map(([name, command]) =>
    collect(terminal => showCommandHelp({ name: `aws ${name}`, command, place: 'stage' }, terminal))
      .filter(line => line !== '' && !isOfAll(line))
      .join('\n'),
  );
  const help = collect(terminal => showHelp('stage', terminal)).join('\n');
  const last = `Every command: ${ON_EVERY_COMMAND.map(flag => `--${flag}`).join(', ')}.`;
  const lines = [help, ...blocks, last].join('\n\n').split('\n');
  return lines.map(line => (line === '' ? '' : `    ${line}`)).join('\n');
}
