import type { ReplacedSpace } from '../../lib/adapters/sql/replaced-spaces.ts';
import { formatPeriodEnd, judgeSpending, percentOf } from '../../lib/core/budget.ts';
import type { ListedModel } from '../../lib/core/config/models.ts';
import { parseJson } from '../../lib/core/messages.ts';
import { DOCS } from '../../lib/core/own-command.ts';
import { formatDuration, formatUsd } from '../../lib/core/quantities.ts';
import { formatCount } from '../../lib/core/run-end.ts';
import type { RunResult } from '../../lib/local/run-locally.ts';
import type { Coverage, Spending } from '../../lib/ports/report-store.ts';
import type { SearchAnswer } from '../../lib/ports/search.ts';
import type { CheckedModel } from '../../lib/wiring/models.ts';

function formatPercent(fraction: number): string {
  return `${(fraction * 100).toFixed(2)} %`;
}

/**
 * Escapes what a terminal would obey: controls, line ends, and controls of the text direction.
 * Texts of rows, providers, databases and other processes can hold them: ESC begins the sequences
 * that colour, overwrite lines or set the clipboard, and a control of the direction shows text in
 * another order than it is stored in. Each becomes its escape as JSON writes it, such as `\u001b`.
 * A text that was escaped stays as it is.
 */
export function escapeControls(text: string): string {
  return text.replaceAll(TERMINAL_CONTROL, character =>
    character === '\n'
      ? '\\n'
      : character === '\t'
        ? '\\t'
        : `\\u${character.codePointAt(0)!.toString(16).padStart(4, '0')}`,
  );
}

/** Controls (C0, DEL, C1), separators of lines and paragraphs, and controls of the direction. */
const TERMINAL_CONTROL = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\u206a-\u206f]/gu;

/**
 * Lines of a table: columns are left-aligned, those with nothing but numbers right-aligned.
 * Headings and cells can be foreign text: they are escaped before their width is measured.
 */
export function formatColumns(
  foreignHeadings: readonly string[],
  foreignRows: readonly (readonly string[])[],
): string[] {
  const headings = foreignHeadings.map(escapeControls);
  const rows = foreignRows.map(row => row.map(escapeControls));
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map(row => row[column]?.length ?? 0)),
  );
  const numeric = headings.map(
    (_, column) => rows.length > 0 && rows.every(row => /^[-$]?[\d.,]+( %)?$/.test(row[column] ?? '')),
  );
  const formatRow = (row: readonly string[]) =>
    row
      .map((cell, column) =>
        numeric[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return [formatRow(headings), formatRow(widths.map(width => '-'.repeat(width))), ...rows.map(formatRow)];
}

/**
 * Shortens a text to one escaped line of at most `width` characters, ended by … where it was cut.
 * An escape counts with its length, so that columns stay aligned.
 */
export function shorten(text: string, width: number): string {
  const line = escapeControls(text.replaceAll(/\s+/g, ' ').trim());
  return line.length <= width ? line : `${line.slice(0, width - 1).trimEnd()}…`;
}

/** The coverage of a space, its rows as an equation that a reader can add up. */
export function formatCoverage(coverage: Coverage): string[] {
  const { eligible, fresh, excluded, failed, inFlight, stale } = coverage;
  const terms = [
    ['fresh', fresh],
    ['excluded', excluded],
    ['failed', failed],
    ['in flight', inFlight],
    ['stale', stale],
  ] as const;
  const sum = terms.map(([name, count]) => `${formatCount(count)} ${name}`).join(' + ');
  return [
    `${coverage.source} · ${coverage.model}   ${coverage.coveragePercent.toFixed(2)} % covered`,
    `  ${formatCount(eligible)} eligible = ${sum}`,
  ];
}

/** A line for each hit: its score, first column and the beginning of the others. */
export function formatHits({ hits }: Pick<SearchAnswer, 'hits'>, width = 100): string[] {
  if (hits.length === 0) return ['  nothing that is embedded was found'];
  const rows = hits.map(({ id, score, columns }) => {
    const [first, ...rest] = Object.values(columns).map(writeValue);
    return { score, title: shorten(first ?? id, 30), rest: rest.filter(text => text !== undefined) };
  });
  const titleWidth = Math.max(...rows.map(({ title }) => title.length));
  return rows.map(({ score, title, rest }) => {
    const start = `  ${score.toFixed(3)}  ${title.padEnd(titleWidth)}  `;
    return (start + shorten(rest.join(' · '), Math.max(20, width - start.length))).trimEnd();
  });
}

function writeValue(value: unknown): string | undefined {
  if (value === null || value === undefined) return undefined;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** One line on what was searched, and how far the hits can be trusted. */
export function formatTrust(answer: SearchAnswer): string {
  const { source, exact, coverage_percent: percent, stale, keyword, degraded } = answer;
  const partial = keyword === 'partial' ? ' · more rows have the words than are ranked' : '';
  const without = degraded.length === 0 ? '' : ` · without: ${degraded.join(', ')}`;
  const compared = exact ? 'exact: every row was compared' : 'approximate: not every row was compared';
  const rows = `${source} · ${compared}${partial}${without}`;
  const unmeasured = percent === null || stale === null;
  return unmeasured
    ? `  ${rows}`
    : `  ${rows} · ${percent.toFixed(2)} % covered, ${formatCount(stale)} stale`;
}

/**
 * Lines of a log record: `time component LEVEL event key=value …`, escaped.
 * A line that our logger did not write stays as it is; what follows its first line is indented, so
 * that no line of it can pass for a record of its own.
 */
export function formatLogLine(line: {
  readonly component: string;
  readonly atMs: number;
  readonly message: string;
}): string[] {
  const head = `${new Date(line.atMs).toISOString()} ${line.component.padEnd(7)}`;
  const fields = parseFields(line.message);
  if (fields === undefined) {
    const [first, ...others] = line.message.trim().split(/\r?\n/);
    return [`${head} ${first}`, ...others.map(other => `    ${other}`)].map(escapeControls);
  }
  const { level, event, timestamp: _timestamp, stage: _stage, component: _component, ...rest } = fields;
  const values = Object.entries(rest).map(([name, value]) => `${name}=${value}`);
  return [escapeControls([head, String(level).padEnd(5), String(event), ...values].join(' '))];
}

function parseFields(message: string): Record<string, unknown> | undefined {
  const fields = parseJson(message);
  return typeof fields === 'object' && fields !== null && 'event' in fields
    ? (fields as Record<string, unknown>)
    : undefined;
}

const MODEL_HEADINGS = [
  'alias',
  'provider',
  'model',
  'revision',
  'dimensions',
  'max tokens',
  '$ per 1M',
  'used by',
];
const CHECK_HEADINGS = ['alias', 'provider', 'dimensions', 'norm', 'golden', 'cosine', 'ms', 'result'];

export function formatModels(models: readonly ListedModel[]): string[] {
  return formatColumns(
    MODEL_HEADINGS,
    models.map(model => [
      model.alias,
      model.provider ?? '(no place)',
      model.modelId,
      model.revision ?? '',
      String(model.dimensions),
      String(model.maxTokensPerText ?? ''),
      String(model.usdPerMillionTokens),
      model.sources.join(', '),
    ]),
  );
}

export function formatChecks(checks: readonly CheckedModel[]): string[] {
  const rows = checks.map(check => [
    check.alias,
    check.provider,
    String(check.dimensions),
    check.norm?.toFixed(4) ?? '',
    check.golden,
    check.cosine?.toFixed(6) ?? '',
    String(Math.round(check.latencyMs)),
    check.problem?.code ?? 'ok',
  ]);
  const problems = checks.flatMap(({ alias, problem }) => {
    if (problem === undefined) return [];
    const line = problem.line === undefined ? '' : ` The line is ${problem.line}.`;
    return ['', `${alias}: ${problem.message}${line}`];
  });
  return [...formatColumns(CHECK_HEADINGS, rows), ...problems];
}

/** What a run did, and how things stand after it. */
export function formatRun(result: RunResult): string[] {
  const counts = (['embedded', 'copied', 'touched', 'excluded', 'failed'] as const).map(
    name => `${name} ${formatCount(result[name])}`,
  );
  return [
    ...result.spaces.flatMap(formatCoverage),
    `this run: ${counts.join(', ')}`,
    `  ${formatCount(result.providerCalls)} provider calls, ${formatCount(result.tokens)} tokens, ` +
      `${formatUsd(result.costUsd)}`,
    `  ${result.averageMsPerItem.toFixed(1)} ms per item on average, error rate ` +
      `${formatPercent(result.errorRate)}, took ${formatDuration(result.durationMs)}`,
    `  last update ${result.lastUpdate ?? 'never'}`,
  ];
}

/** A line on what is spent of a cap, with the end of its period where the answer has it. */
export function formatSpending(spending: Omit<Spending, 'endsAt' | 'percent'> & Partial<Spending>): string {
  const { scope, period, capUsd, spentUsd, endsAt } = spending;
  const judged = judgeSpending(spending);
  return (
    `budget of ${scope}: ${formatUsd(spentUsd)} of ${formatUsd(capUsd)} this ${period}, ` +
    `${percentOf(spending)} %${judged === undefined ? '' : ` – ${judged}`}` +
    `${endsAt === undefined ? '' : `; it ends ${formatPeriodEnd(endsAt)}`}`
  );
}

/** Says that searches of a source find less than before, and what brings the rest back. */
export function formatReplaced({ source, model, vectors, formerVectors }: ReplacedSpace): string {
  const shown =
    vectors === undefined ? 'vectors that were not counted in time' : `${formatCount(vectors)} vectors`;
  const former = formerVectors === undefined ? 'vectors' : formatCount(formerVectors);
  return (
    `Source "${source}": its view and its searches now show what model "${model}" made as it is configured ` +
    `now: ${shown}. The ${former} of before are kept: the ` +
    `former configuration shows them again, and "Changing the model" in ${DOCS}/configuration.md fills ` +
    'the new ones first.'
  );
}
