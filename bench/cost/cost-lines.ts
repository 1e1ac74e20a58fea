import { type CostLine, totalOf } from '../../lib/core/aws-cost.ts';
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

/**
 * Formats counted lines and their prices as a Markdown table.
 * With `withTotal`, a last row holds the sum of the lines.
 */
export function describeLines(lines: readonly CostLine[], money: Money, withTotal = true): string {
  const rows = lines.map(({ service, how, usd }) => [service, how, ...money.format(usd)]);
  const total = ['**together**', '', ...money.format(totalOf(lines)).map(amount => `**${amount}**`)];
  return formatTable(['', 'counted', ...money.headings], withTotal ? [...rows, total] : rows);
}
