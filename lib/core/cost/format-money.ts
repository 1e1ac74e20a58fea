import { UsageError } from '../errors/usage-error.ts';

/** How amounts are shown: in US dollars, and in a second currency where one is given. */
export interface Money {
  readonly headings: readonly string[];
  /** One text for each heading. */
  format(usd: number): string[];
  /** Within a sentence. */
  inline(usd: number): string;
  /** A sentence about the rate; empty without a second currency. */
  readonly note: string;
}

/** @throws UsageError for a rate without a currency, a currency without a rate, or what is neither. */
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

/** As many decimals as a small amount needs to be told from nothing. */
function amount(value: number): string {
  if (value === 0) return '0';
  return value.toFixed(value >= 100 ? 0 : value >= 1 ? 2 : 4);
}

/** Of Markdown; columns of numbers stand to the right. */
export function formatTable(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const rule = headings.map((_, column) =>
    rows.every(row => /^(\*\*)?[\d.,]+( ms)?(\*\*)?$/.test(row[column] ?? '')) ? '---:' : '---',
  );
  return [headings, rule, ...rows].map(row => `| ${row.join(' | ')} |`).join('\n');
}
