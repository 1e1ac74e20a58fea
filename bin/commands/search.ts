import { readFileSync } from 'node:fs';
import { UsageError } from '../../lib/core/errors.ts';
import { FRESHET } from '../../lib/core/own-command.ts';
import { isBlank } from '../../lib/core/text.ts';
import type { SearchMode, SearchWeights } from '../../lib/ports/search.ts';
import type { OwnSearch } from '../../lib/wiring/open-search.ts';
import { withOperator } from '../../lib/wiring/operator.ts';
import { formatHits, formatTrust } from '../terminal/formats.ts';
import { type CommandBody, workspaceRequest } from './command.ts';
import type { HereCommand } from './table.ts';

export const searchCommand: CommandBody<HereCommand<'search'>> = {
  async run(context) {
    const { terminal } = context;
    const asked = readSearch(context);
    const found = await withOperator(workspaceRequest(context), operator => operator.ask('search', asked));
    terminal.result({
      source: found.source,
      model: found.model.alias,
      hits: found.hits.map(({ id, score, scores, columns }) => ({
        ...{ id, similarity: scores.semantic, score, scores, columns },
      })),
      exact: found.exact,
      coveragePercent: found.coverage_percent,
      stale: found.stale,
      keyword: found.keyword,
      degraded: found.degraded,
      next: found.next,
    });
    for (const line of formatHits(found)) terminal.line(line);
    terminal.line(formatTrust(found));
    if (found.next !== null) terminal.line(`  next page: --cursor ${found.next}`);
    return 0;
  },
};

export const explainSearchCommand: CommandBody<HereCommand<'explain-search'>> = {
  async run(context) {
    const { terminal } = context;
    const asked = readSearch(context);
    const plan = await withOperator(workspaceRequest(context), operator =>
      operator.ask('explain-search', asked),
    );
    terminal.result(plan);
    const limit = `counted up to ${plan.exactUpTo}`;
    const isOver = plan.counted > plan.exactUpTo;
    terminal.line(
      `${plan.source}: ${plan.leg === 'exact' ? 'exact: every row is compared' : 'by the HNSW index'}`,
    );
    terminal.line(
      `  rows that the search may see: ${isOver ? `over ${plan.exactUpTo}` : `${plan.counted}`} (${limit})`,
    );
    terminal.line(
      `  index of the vectors: ${plan.index}${plan.efSearch === null ? '' : `, ef_search ${plan.efSearch}`}`,
    );
    terminal.line(
      `  kept to a tenant: ${plan.tenant ? 'yes' : 'no'}; as a role: ${plan.rowLevelSecurity ? 'yes' : 'no'}`,
    );
    for (const line of plan.plan) terminal.line(`    ${line}`);
    return 0;
  },
};

type SearchContext = Pick<HereCommand<'search'>, 'flags' | 'positionals'>;

/** Reads what is searched for; the search itself checks what only the database knows. */
function readSearch({ flags, positionals }: SearchContext): OwnSearch {
  const text = positionals.join(' ').trim();
  if (isBlank(text) && flags.like === undefined)
    throw new UsageError('search needs a text.', `${FRESHET} search "a small animal"`);
  if (!isBlank(text) && flags.like !== undefined)
    throw new UsageError('--like takes the place of the text: give one of the two.');
  return {
    limit: flags.limit ?? 10,
    ...(flags.like === undefined ? { query: text } : { like: flags.like }),
    ...pick('source', flags.source),
    ...pick('mode', readMode(flags.mode)),
    ...pick('weights', readWeights(flags.weights)),
    ...pick('rerank', flags.rerank === undefined ? undefined : { model: flags.rerank }),
    ...pick('tenant', flags.tenant),
    ...pick('cursor', flags.cursor),
    ...pick('filter', flags.filter === undefined ? undefined : readJson(flags.filter)),
    ...pick(
      'columns',
      flags.columns?.split(',').map(name => name.trim()),
    ),
    ...pick('diversity', readFraction('diversity', flags.diversity, 0)),
    ...pick('minScore', readFraction('min-score', flags['min-score'], -1)),
  };
}

function pick<Name extends string, Value>(
  name: Name,
  value: Value | undefined,
): Partial<Record<Name, Value>> {
  return value === undefined ? {} : ({ [name]: value } as Record<Name, Value>);
}

function readMode(text: string | undefined): SearchMode | undefined {
  const modes: readonly SearchMode[] = ['semantic', 'keyword', 'hybrid'];
  const mode = modes.find(each => each === text);
  if (text !== undefined && mode === undefined)
    throw new UsageError(`--mode: expected one of ${modes.join(', ')}.`);
  return mode;
}

function readWeights(text: string | undefined): SearchWeights | undefined {
  if (text === undefined) return undefined;
  const [semantic, keyword, ...rest] = text.split(',').map(Number);
  const isWeight = (value: number | undefined) => value !== undefined && value >= 0 && value <= 100;
  if (!isWeight(semantic) || !isWeight(keyword) || rest.length > 0)
    throw new UsageError('--weights: expected two numbers from 0 to 100, such as 1,0.5.');
  return { semantic, keyword };
}

function readJson(text: string): unknown {
  const isFile = text.startsWith('@');
  const json = isFile ? readFilter(text.slice(1)) : text;
  try {
    return JSON.parse(json);
  } catch {
    throw new UsageError(
      isFile ? `--filter: ${text.slice(1)} holds no JSON.` : '--filter is no JSON.',
      `--filter '{"type":"eq","key":"language","value":"en"}', or --filter @file.json`,
    );
  }
}

function readFilter(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    throw new UsageError(`--filter: the file ${file} cannot be read (${code}).`);
  }
}

function readFraction(flag: string, text: string | undefined, least: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() !== '' && value >= least && value <= 1) return value;
  throw new UsageError(`--${flag}: expected a number from ${least} to 1.`);
}
