import { awsFlags } from '../../bin/commands/aws-command.ts';
import { awsCommandList } from '../../bin/commands/aws-command-list.ts';
import { showAwsHelp, showCommandHelp } from '../../bin/commands/show-help.ts';
import type { Terminal } from '../../bin/terminal/terminal.ts';

const ON_EVERY_COMMAND = Object.keys(awsFlags);

/**
 * Prints the help of all `freshet aws` commands, indented as code.
 *
 * The flags that all of them have are printed once.
 */
export async function printAwsHelp(): Promise<string> {
  const lines: string[] = [];
  const terminal = { line: (text = '') => lines.push(text), result: () => {} } as unknown as Terminal;
  await showAwsHelp(terminal);
  for (const [name, load] of Object.entries(awsCommandList)) {
    const { command } = await load();
    const flags = Object.fromEntries(
      Object.entries(command.flags).filter(([flag]) => !ON_EVERY_COMMAND.includes(flag)),
    );
    lines.push('');
    if (Object.keys(flags).length > 0) showCommandHelp(`aws ${name}`, { ...command, flags }, terminal);
    else lines.push(`npm run freshet -- aws ${name} [flags]: ${command.summary}`);
  }
  lines.push('', `Every command: ${ON_EVERY_COMMAND.map(flag => `--${flag}`).join(', ')}.`);
  return lines.map(line => (line === '' ? '' : `    ${line}`)).join('\n');
}
