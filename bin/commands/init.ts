import { nameTable } from '../../lib/core/config/choose-table.ts';
import { findVectorColumns, type TableFacts } from '../../lib/core/config/judge-tables.ts';
import { UsageError } from '../../lib/core/errors.ts';
import { withTables } from '../../lib/wiring/init.ts';
import { formatQuote } from '../terminal/format-quote.ts';
import { openPrompts, type Prompts } from '../terminal/prompts.ts';
import { countErrors, reportFindings } from '../terminal/reports.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { chooseSource } from './choose-source.ts';
import type { CommandBody } from './command.ts';
import type { HereCommand } from './table.ts';

export const initCommand: CommandBody<HereCommand<'init'>> = {
  check(flags) {
    if (flags.config !== undefined)
      throw new UsageError('init writes a configuration and reads none.', 'Name the file with --output.');
    if (flags.embedded === true && (flags['github-action'] ?? flags['database-url']) !== undefined)
      throw new UsageError('--embedded is this folder’s database, and goes with no other place.');
  },
  async run({ flags, terminal }) {
    const request = {
      databaseUrl: flags['database-url'],
      embedded: flags.embedded === true,
      directory: process.cwd(),
      output: flags.output ?? 'freshet.config.ts',
      workflow: flags['github-action'] === true,
      force: flags.force === true,
    };
    const isAsking = flags.yes !== true;
    return withTables(request, async workspace => {
      const source = await chooseSource(workspace, flags, isAsking ? await askOnTerminal() : undefined);
      const written = await workspace.write(source);
      const table = workspace.tables.find(
        ({ schema, name }) => schema === source.schema && name === source.table,
      )!;
      const vectorColumns = findVectorColumns(table).map(({ name }) => name);
      const errors = countErrors(written.findings);
      terminal.result({ ok: errors === 0, ...written, source, vectorColumns });
      showWritten(written, source, terminal);
      showVectorColumns(table, terminal);
      terminal.line();
      reportFindings(
        written.findings.filter(({ ok }) => !ok),
        terminal,
      );
      terminal.line(errors === 0 ? 'Next:' : 'Next, when that is mended:');
      for (const line of written.next) terminal.line(`  ${line}`);
      return errors === 0 ? 0 : 1;
    });
  },
};

type Written = Awaited<ReturnType<Parameters<Parameters<typeof withTables>[1]>[0]['write']>>;
type Source = Awaited<ReturnType<typeof chooseSource>>;

/** Questions on the terminal; without one, each is refused in words that name the flags. */
async function askOnTerminal(): Promise<Prompts> {
  if (process.stdin.isTTY === true && process.stderr.isTTY === true) return openPrompts();
  const refuse = async (question: string) => {
    throw new UsageError(
      `${question} There is no terminal to ask on.`,
      'Add --yes to take what is proposed, or give all of --table, --text, --updated-at, --time-zone ' +
        '(where that column has none) and --model.',
    );
  };
  return { chooseOne: refuse, chooseSome: refuse, askText: refuse };
}

function showWritten({ file, workflow, estimate }: Written, source: Source, terminal: Terminal): void {
  const { schema, table, key, updatedAt, timeZone, textColumns, model } = source;
  terminal.line(`Wrote ${file}${workflow === undefined ? '' : ` and ${workflow}`}.`);
  terminal.line(`  table    ${nameTable({ schema, name: table })}, by its key ${key.join(', ')}`);
  terminal.line(
    `  changes  ${updatedAt}${timeZone === undefined ? '' : `, whose values are taken for ${timeZone}`}`,
  );
  terminal.line(`  text     ${textColumns.join(', ')}`);
  terminal.line(`  model    ${model}`);
  const counted = estimate.isCounted ? '' : ', by the planner’s number of rows';
  terminal.line(`  cost     of the first run${counted}; then only what changes:`);
  for (const line of formatQuote(estimate)) terminal.line(line);
}

function showVectorColumns(table: TableFacts, terminal: Terminal): void {
  for (const { name, type } of findVectorColumns(table))
    terminal.line(
      `${nameTable(table)} has vectors already, in ${JSON.stringify(name)} (${type}): they stay as they ` +
        'are. Freshet keeps its own beside the table.',
    );
}
