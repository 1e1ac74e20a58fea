import { formatDuration, formatUsd } from '../../lib/core/quantities.ts';
import type { SpaceQuote } from '../../lib/core/quote.ts';
import { formatCount } from '../../lib/core/run-end.ts';
import type { StageQuote } from '../../lib/ports/operator.ts';

/** A second currency that prices are shown in. */
export interface Currency {
  /** ISO 4217. */
  readonly code: string;
  /** Units of it for one US dollar. */
  readonly rate: number;
}

/**
 * Lines on what a purchase takes: rows as a sum, tokens and price with their range, time, and on a
 * stage what AWS is paid.
 */
export function formatQuote(quote: SpaceQuote | StageQuote, currency?: Currency): string[] {
  const terms = (['duplicates', 'copied', 'touched', 'excluded'] as const)
    .filter(name => quote[name] > 0)
    .map(name => ` + ${formatCount(quote[name])} ${LABELS[name]}`);
  const sum = `${formatCount(quote.texts)} texts to buy${terms.join('')}`;
  const sample =
    quote.sampledShare === 1 ? '' : `  (from ${(100 * quote.sampledShare).toFixed(1)} % of the texts)`;
  const lines = [
    `${quote.source} · ${quote.model}   to embed: ${formatCount(quote.rows)} rows = ${sum}${sample}`,
  ];
  const aws = 'aws' in quote && quote.rows > 0 ? [formatAws(quote, currency)] : [];
  if (quote.texts === 0) return [...lines, ...aws];
  const { seconds } = quote;
  const time = seconds === null ? 'time not known yet' : `about ${formatDuration(seconds * 1000)}`;
  return [
    ...lines,
    `  about ${formatCount(quote.tokens)} tokens (${formatCount(quote.leastTokens)} to ` +
      `${formatCount(quote.mostTokens)}) in ${formatCount(quote.calls)} calls, ${formatUsd(quote.costUsd)} ` +
      `(${formatUsd(quote.leastCostUsd)} to ${formatUsd(quote.mostCostUsd)})` +
      `${currency === undefined ? '' : formatIn(currency, quote)}, ${time}`,
    ...formatBatch(quote.batch),
    ...aws,
  ];
}

function formatAws({ aws: { costUsd, callMs, isMeasured } }: StageQuote, currency?: Currency): string {
  const second = currency === undefined ? '' : `, ${formatAmount(currency, costUsd)},`;
  const wait = `${Math.round(callMs)} ms a call${isMeasured ? '' : ', assumed'}`;
  const services = 'for Lambda, SQS, S3 and logs';
  return `  AWS about ${formatUsd(costUsd)}${second} ${services} at ${wait}; the network apart`;
}

function formatBatch(batch: SpaceQuote['batch']): string[] {
  if (batch === null) return [];
  const { costUsd, leastCostUsd, mostCostUsd, rounds, deadlineSeconds } = batch;
  const inTurn = rounds > 1 ? ` for each of ${rounds} in turn` : '';
  const time = `${formatDuration(deadlineSeconds * 1000)}${inTurn}`;
  return [
    `  by batch ${formatUsd(costUsd)} (${formatUsd(leastCostUsd)} to ${formatUsd(mostCostUsd)}), ` +
      `at most ${time}; edits are bought by calls`,
  ];
}

const LABELS = {
  duplicates: 'of the same text',
  copied: 'embedded already',
  touched: 'unchanged',
  excluded: 'without a text to buy',
} as const;

function formatIn(currency: Currency, { costUsd, leastCostUsd, mostCostUsd }: SpaceQuote): string {
  const [cost, least, most] = [costUsd, leastCostUsd, mostCostUsd].map(usd => formatAmount(currency, usd));
  return `, ${cost} (${least} to ${most})`;
}

/** Formats US dollars in a second currency. */
function formatAmount({ code, rate }: Currency, usd: number): string {
  const format = new Intl.NumberFormat('en', { style: 'currency', currency: code, currencyDisplay: 'code' });
  return format.format(usd * rate).replaceAll('\u00a0', ' ');
}
