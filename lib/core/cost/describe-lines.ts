import { type CostLine, totalOf } from './cost-line.ts';
import { formatTable, type Money } from './format-money.ts';

/**
 * Formats counted lines and their prices as a Markdown table.
 * With `withTotal`, a last row holds the sum of the lines.
 */
export function describeLines(lines: readonly CostLine[], money: Money, withTotal = true): string {
  const rows = lines.map(({ service, how, usd }) => [service, how, ...money.format(usd)]);
  const total = ['**together**', '', ...money.format(totalOf(lines)).map(amount => `**${amount}**`)];
  return formatTable(['', 'counted', ...money.headings], withTotal ? [...rows, total] : rows);
}
