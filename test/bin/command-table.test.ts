import { describe, expect, test } from 'vitest';
import { EXIT_CODES, type Place } from '../../bin/commands/command.ts';
import { GROUPS, listCommands, showCommandHelp, showHelp } from '../../bin/commands/help.ts';
import { commandTable } from '../../bin/commands/table.ts';
import type { Terminal } from '../../bin/terminal/terminal.ts';
import { staticClosure } from '../import-closure.ts';
import { printAwsHelp } from '../pages/print-aws-help.ts';
import { blockOf, writtenBlock } from '../pages/written-block.ts';

const OUT_OF_DATE = 'the page is out of date: npm run docs:commands writes it anew';
/** Where a command has more flags of its own, the page names them in a table of their own. */
const FLAGS_IN_A_LINE = 6;

const inCode = (text: string) => `\`${text.replaceAll('|', '\\|')}\``;

function composeTable(place: Place): string {
  const rows = listCommands(place).map(([name, command]) => {
    const { summary, flags, keys } = command[place]!;
    const own = Object.entries({ ...command.flags, ...flags }).map(
      ([flag, { placeholder }]) => `[--${flag}${placeholder === undefined ? '' : ` ${placeholder}`}]`,
    );
    const words = [`${GROUPS[place]}${name}`, ...(command.argument === undefined ? [] : [command.argument])];
    const usage = [...words, ...(own.length > FLAGS_IN_A_LINE ? ['[flags]'] : own)].join(' ');
    return `| ${inCode(usage)} | ${summary} | ${keys.map(inCode).join(', ')} |`;
  });
  return ['| command | what it does | keys under `--json` |', '|---|---|---|', ...rows].join('\n');
}

function composeExitCodes(): string {
  // As people look for them: what is well first.
  const order = [0, 3, 4, 5, 2, 1, 130] as const;
  expect(order.toSorted((left, right) => left - right).map(String)).toEqual(Object.keys(EXIT_CODES));
  const rows = order.map(code => `| ${code} | ${EXIT_CODES[code]} |`);
  return ['| code | meaning |', '|---|---|', ...rows].join('\n');
}

describe('docs/commands.md', () => {
  test.each(['here', 'stage'] as const)('lists the commands of the table: %s', place => {
    const block = blockOf(place, composeTable(place));

    expect(writtenBlock('commands.md', place, block), OUT_OF_DATE).toBe(block);
  });

  test('lists the exit codes', () => {
    const block = blockOf('exit codes', composeExitCodes());

    expect(writtenBlock('commands.md', 'exit codes', block), OUT_OF_DATE).toBe(block);
  });

  test('prints the help of the commands of a stage as they print it', () => {
    const block = blockOf('help', printAwsHelp());

    expect(writtenBlock('commands.md', 'help', block), OUT_OF_DATE).toBe(block);
  });
});

describe('the table of commands', () => {
  test.each(Object.entries(commandTable))('names what %s does, and loads it', async (_, command) => {
    expect(await command.load()).toMatchObject({ run: expect.any(Function) });
  });

  test('is read without a database, an SDK or a configuration', () => {
    const loaded = [...staticClosure('bin/main.ts').keys()];

    expect(loaded.filter(file => /^lib\/(adapters|wiring|pipeline|constructs)\//.test(file))).toEqual([]);
  });

  test('is followed in help by every exit code that a command can end with', () => {
    const lines: string[] = [];
    const terminal = { line: (line = '') => lines.push(line), result: () => {} };
    showHelp('here', terminal as unknown as Terminal);

    const codes = lines.slice(lines.findIndex(line => line.endsWith('Exit codes:')));
    const named = codes.flatMap(line => /^ {2}(\d+) /.exec(line)?.[1] ?? []);
    expect(new Set(named)).toEqual(new Set(Object.keys(EXIT_CODES)));
  });

  test('is what help tells of a command under --json', () => {
    const results: object[] = [];
    const terminal = { line: () => {}, result: (object: object) => results.push(object) };
    showCommandHelp(
      { name: 'aws retry', command: commandTable.retry, place: 'stage' },
      terminal as unknown as Terminal,
    );

    expect(results).toMatchObject([
      { command: 'aws retry', keys: ['applied', 'rows'], exitCodes: [0, 1, 2, 130] },
    ]);
  });
});
