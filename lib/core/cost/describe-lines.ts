import { type CostLine, totalOf } from './cost-line.ts';
import { formatTable, type Money } from './format-money.ts';

/** A table of what was counted and what it costs. `withTotal`: their sum below them. */
export function describeLines(lines: readonly CostLine[], money: Money, withTotal = true): string {
  const rows = lines.map(({ service, how, usd }) => [service, how, ...money.format(usd)]);
  const total = ['**together**', '', ...money.format(totalOf(lines)).map(amount => `**${amount}**`)];
  return formatTable(['', 'counted', ...money.headings], withTotal ? [...rows, total] : rows);
}
