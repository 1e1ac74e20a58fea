import { UsageError } from '../../lib/core/errors.ts';
import { isBlank } from '../../lib/core/text.ts';
import { withOperator } from '../../lib/wiring/operator.ts';
import { formatHits } from '../terminal/formats.ts';
import { type CommandBody, workspaceRequest } from './command.ts';
import type { HereCommand } from './table.ts';

export const searchCommand: CommandBody<HereCommand<'search'>> = {
  async run(context) {
    const { flags, positionals, terminal } = context;
    const text = positionals.join(' ').trim();
    if (isBlank(text))
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
};
