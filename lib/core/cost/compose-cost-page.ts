import { type CostLine, totalOf } from './cost-line.ts';
import type { CountedRun } from './counted-run.ts';
import { describeEmbedding } from './describe-embedding.ts';
import { formatTable, type Money } from './format-money.ts';
import { type DeployedStage, priceMonth } from './price-month.ts';
import { priceNetwork } from './price-network.ts';
import { findProviderMs, type PlumbingAssumptions, pricePlumbing } from './price-plumbing.ts';
import { PRICES, PRICES_AS_OF } from './prices.ts';

export interface CostPage {
  readonly run: CountedRun;
  readonly stage: DeployedStage;
  readonly assumptions: PlumbingAssumptions;
  readonly money: Money;
  /** What ran: processor count, Node's version, load. */
  readonly machine: string;
}

/** US dollars that AWS may take for a million rows. */
export const PLUMBING_CEILING_USD = 0.3;

const OTHER_LATENCIES_MS = [250, 500, 1000, 1500, 3000] as const;

/** `docs/cost.md`. */
export function composeCostPage({ run, stage, assumptions, money, machine }: CostPage): string {
  const plumbing = pricePlumbing(run, assumptions);
  const month = priceMonth(stage, run);
  const latencies = OTHER_LATENCIES_MS.map(providerMs => [
    `${providerMs} ms`,
    ...money.format(totalOf(pricePlumbing(run, { ...assumptions, providerMs }))),
  ]);
  return `# Cost

Written by \`npm run cost\`; do not edit. US dollars are list prices of us-east-1 as of ${PRICES_AS_OF}, without free tiers and tax. **Nothing here was read from a bill**: requests, bytes
and durations are those of ${run.rows.toLocaleString('en-US')} rows of WordNet (${(run.tokens / run.rows).toFixed(1)} tokens a row, ${run.dimensions} dimensions) that the built functions embedded on queues, a bucket, a provider and an embedded
database in one process, scaled to a million rows. Durations are of that machine (${machine}), not of Lambda.${money.note}

## What AWS takes for a million rows

${describeLines(plumbing, money)}

The aim is at most $${PLUMBING_CEILING_USD.toFixed(2)}. \`embed\` waits for the provider, and the wait is paid; ${assumptions.providerMs} ms a call are assumed above. ${describeLimit(run, assumptions)} By other waits:

${formatTable(['a call takes', ...money.headings], latencies)}

## What the network takes for a million rows

Counted bodies; headers and TLS come on top. A line is paid only where the bytes take that way.

${describeLines(priceNetwork(run), money, false)}

A NAT gateway costs ${money.inline(PRICES.natHour.usd * 730)} a month besides, if it is there for Freshet alone.

${describeEmbedding(run.tokens / run.rows, money)}

## A month of a stage that nobody writes to

Counted in the template of a stage with one model of OpenAI. The endpoint of a GPU has five alarms more.

${describeLines(month, money)}

## Prices

Origin *memory* marks what is to be checked before it is relied on.

${formatTable(
  ['what', 'USD', 'for one', 'origin', 'source'],
  Object.values(PRICES).map(({ what, usd, unit, origin, source }) => [
    what,
    formatPrice(usd),
    unit,
    origin,
    source,
  ]),
)}
`;
}

function describeLimit(run: CountedRun, assumptions: PlumbingAssumptions): string {
  const providerMs = findProviderMs(run, assumptions, PLUMBING_CEILING_USD);
  return providerMs === undefined
    ? 'Without any wait it is more than that.'
    : `The aim is met as long as a call takes less than ${Math.floor(providerMs)} ms.`;
}

function describeLines(lines: readonly CostLine[], money: Money, withTotal = true): string {
  const rows = lines.map(({ service, how, usd }) => [service, how, ...money.format(usd)]);
  const total = ['**together**', '', ...money.format(totalOf(lines)).map(amount => `**${amount}**`)];
  return formatTable(['', 'counted', ...money.headings], withTotal ? [...rows, total] : rows);
}

/** Without an exponent, and with the digits that it was given with. */
function formatPrice(usd: number): string {
  return usd.toFixed(12).replace(/\.?0+$/, '');
}
