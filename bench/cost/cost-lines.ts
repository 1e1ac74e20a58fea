import { UsageError } from '../../lib/core/errors.ts';

/** Formats amounts in US dollars and, where one is given, in a second currency. */
export interface Money {
  readonly headings: readonly string[];
  /** Formats an amount of US dollars: one text for each heading. */
  format(usd: number): string[];
  /** Formats an amount of US dollars for use within a sentence. */
  inline(usd: number): string;
  /** A sentence that states the exchange rate. Empty without a second currency. */
  readonly note: string;
}

/**
 * Creates the formatter of amounts; `rate` is the price of one US dollar in `currency`.
 * @throws UsageError when only one of the two is given, or one of them is malformed.
 */
export function createMoney(currency: string | undefined, rate: string | undefined): Money {
  if (currency === undefined && rate === undefined)
    return { headings: ['USD'], format: usd => [amount(usd)], inline: usd => `$${amount(usd)}`, note: '' };
  const perUsd = /^\d+(\.\d+)?$/.test(rate ?? '') ? Number(rate) : 0;
  if (currency === undefined || !/^[A-Z]{3}$/.test(currency) || perUsd <= 0)
    throw new UsageError(
      'A second currency needs its three letters and what a US dollar is in it.',
      'npm run cost -- --currency EUR --rate 0.92',
    );
  return {
    headings: ['USD', currency],
    format: usd => [amount(usd), amount(usd * perUsd)],
    inline: usd => `$${amount(usd)} (${amount(usd * perUsd)} ${currency})`,
    note: ` ${currency} at ${perUsd} for a US dollar, as given.`,
  };
}

/**
 * Formats an amount with 4 decimals below 1, 2 decimals below 100, and none above.
 * Small amounts keep enough decimals to differ from zero.
 */
function amount(value: number): string {
  if (value === 0) return '0';
  return value.toFixed(value >= 100 ? 0 : value >= 1 ? 2 : 4);
}

/** Formats a Markdown table. Columns that hold only numbers are aligned to the right. */
export function formatTable(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const rule = headings.map((_, column) =>
    rows.every(row => /^(\*\*)?[\d.,]+( ms)?(\*\*)?$/.test(row[column] ?? '')) ? '---:' : '---',
  );
  return [headings, rule, ...rows].map(row => `| ${row.join(' | ')} |`).join('\n');
}

/** One priced line of a cost table. */
export interface CostLine {
  readonly service: string;
  /** What was counted, and how the count was priced. */
  readonly how: string;
  readonly usd: number;
}

export function totalOf(lines: readonly CostLine[]): number {
  return lines.reduce((sum, { usd }) => sum + usd, 0);
}

/** Bytes in a gigabyte as AWS bills it. */
export const GB = 1e9;

/** The counts of a real run. Durations are those of the machine that ran it. */
export interface CountedRun {
  readonly rows: number;
  /** Tokens of all rows together, counted by the model's tokenizer. */
  readonly tokens: number;
  readonly dimensions: number;
  readonly functions: Readonly<Record<RunFunction, CountedFunction>>;
  /** Milliseconds of a tick that finds nothing to do. */
  readonly idleMs: { readonly detect: number; readonly guard: number };
  readonly providerCalls: number;
  /** By SQS action: its requests, and the billed pieces of 64 KB. */
  readonly sqs: Readonly<Record<string, { readonly requests: number; readonly pieces: number }>>;
  /** `keptBytes` are of the objects that were not deleted. */
  readonly s3: Readonly<Record<'puts' | 'gets' | 'deletes' | 'putBytes' | 'getBytes' | 'keptBytes', number>>;
  readonly provider: Traffic;
  readonly database: Traffic;
  readonly queueTraffic: Traffic;
  readonly logBytes: number;
  /** Bytes of log that one idle tick writes. */
  readonly idleLogBytes: { readonly detect: number; readonly guard: number };
  /** Number of distinct pairs of a metric's name and its dimensions. */
  readonly metricSeries: number;
}

export type RunFunction = 'detect' | 'embed' | 'write';

/** The counts of one Lambda function over the run. */
export interface CountedFunction {
  readonly invocations: number;
  readonly memoryMb: number;
  /** Median duration of an invocation. The first invocation is left out. */
  readonly invocationMs: number;
  /**
   * Milliseconds of a cold start.
   * They are the time to load the function, and what its first invocation took beyond the later
   * ones.
   */
  readonly startMs: number;
  /** Execution environments that run at the same time, at most. Each pays one start. */
  readonly environments: number;
}

/** Bytes to and from one partner, as the functions see them. */
export interface Traffic {
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

/**
 * Formats counted lines and their prices as a Markdown table.
 * With `withTotal`, a last row holds the sum of the lines.
 */
export function describeLines(lines: readonly CostLine[], money: Money, withTotal = true): string {
  const rows = lines.map(({ service, how, usd }) => [service, how, ...money.format(usd)]);
  const total = ['**together**', '', ...money.format(totalOf(lines)).map(amount => `**${amount}**`)];
  return formatTable(['', 'counted', ...money.headings], withTotal ? [...rows, total] : rows);
}
