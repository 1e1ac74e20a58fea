import { UsageError } from '../../lib/core/errors.ts';
import { withOperator } from '../../lib/wiring/operator.ts';
import { textFlag, wholeNumberFlag } from '../terminal/flag.ts';
import { formatHits } from '../terminal/format-hits.ts';
import { defineCommand, workspaceFlags } from './command.ts';
import { workspaceRequest } from './workspace-request.ts';

export const command = defineCommand({
  summary: 'the rows nearest to a text',
  argument: '"text"',
  flags: {
    ...workspaceFlags,
    limit: wholeNumberFlag('N', 'how many rows (10)', { least: 1, most: 1000 }),
    source: textFlag('NAME', 'source to search (the first one)'),
  },
  async run(context) {
    const { flags, positionals, terminal } = context;
    const text = positionals.join(' ').trim();
    if (text === '')
      throw new UsageError('search needs a text.', 'npm run freshet -- search "a small animal"');
    const found = await withOperator(workspaceRequest(context), operator =>
      operator.ask('search', {
        text,
        limit: flags.limit ?? 10,
        ...(flags.source === undefined ? {} : { source: flags.source }),
      }),
    );
    terminal.result({
      source: found.source,
      model: found.model,
      hits: found.hits.map(({ id, similarity, columns }) => ({
        id,
        similarity,
        columns: Object.fromEntries(found.columns.map((name, index) => [name, columns[index] ?? null])),
      })),
    });
    for (const line of formatHits(found)) terminal.line(line);
    return 0;
  },
});
