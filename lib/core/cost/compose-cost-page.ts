import { totalOf } from './cost-line.ts';
import type { CountedRun } from './counted-run.ts';
import { describeEmbedding } from './describe-embedding.ts';
import { describeLines } from './describe-lines.ts';
import { describePrices } from './describe-prices.ts';
import { createMoney, formatTable, type Money } from './format-money.ts';
import { type DeployedStage, priceMonth } from './price-month.ts';
import { priceNetwork } from './price-network.ts';
import { findProviderMs, type PlumbingAssumptions, pricePlumbing } from './price-plumbing.ts';
import { priceWatching, type WatchedStage } from './price-watching.ts';
import { PRICES } from './prices.ts';

/** Everything that the cost page is composed from. */
export interface CostPage {
  readonly run: CountedRun;
  readonly stage: DeployedStage;
  /** What a GPU endpoint adds to the stage's watching, counted in the templates. */
  readonly endpoint: WatchedStage;
  readonly assumptions: PlumbingAssumptions;
  readonly money: Money;
  /** The machine of the counted run: processor count, Node's version, load. */
  readonly machine: string;
}

/** The target: US dollars that AWS may charge for a million rows. */
export const PLUMBING_CEILING_USD = 0.3;

const OTHER_LATENCIES_MS = [250, 500, 1000, 1500, 3000] as const;

/** Composes the Markdown of `docs/cost.md`. */
export function composeCostPage({ run, stage, endpoint, assumptions, money, machine }: CostPage): string {
  const plumbing = pricePlumbing(run, assumptions);
  const month = priceMonth(stage, run);
  const latencies = OTHER_LATENCIES_MS.map(providerMs => [
    `${providerMs} ms`,
    ...money.format(totalOf(pricePlumbing(run, { ...assumptions, providerMs }))),
  ]);
  return `# Cost

Written by \`npm run cost\`, which counts anew, or by \`npm run docs:cost\` from the last count (\`bench/cost/counted-run.json\`); do not edit. US dollars are list prices of us-east-1, without free
tiers and tax; [each](#prices) stands with its source and that source's date. **Nothing here was read from a bill**: requests, bytes
and durations are those of ${run.rows.toLocaleString('en-US')} rows of WordNet (${(run.tokens / run.rows).toFixed(1)} tokens a row, ${run.dimensions} dimensions) that the built functions embedded on queues, a bucket, a provider and an embedded
database in one process, scaled to a million rows. Durations are of that machine (${machine}), not of Lambda.${money.note}

${describeSecondCurrency(totalOf(plumbing))}

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

Counted in the template of a stage with one model of OpenAI and nobody to tell; [dashboard.md](dashboard.md#what-watching-costs) prices the watching of one with every receiver.

${describeLines(month, money)}

${describeEndpoint(endpoint, money)}

## Prices

${describePrices()}
`;
}

/**
 * Number of alarms that target tracking creates by itself, on a 10-second metric.
 * The number is from memory.
 */
const TARGET_TRACKING_ALARMS = 2;

function describeEndpoint(endpoint: WatchedStage, money: Money): string {
  const { alarms, alarmMetrics } = endpoint;
  const usd = totalOf(
    priceWatching({ ...endpoint, highResolutionAlarmMetrics: TARGET_TRACKING_ALARMS }, 0, ''),
  );
  return `A GPU endpoint adds ${money.inline(usd)} for being watched: ${alarmMetrics} metrics that ${alarms} alarms watch, and ${TARGET_TRACKING_ALARMS} quick alarms that its scaling makes by itself (their number is from memory).`;
}

/** Explains the second currency by an example rate that is not meant to be current. */
function describeSecondCurrency(usd: number): string {
  const example = createMoney('EUR', '0.92');
  return `\`npm run cost -- --currency EUR --rate 0.92\` adds a column in another currency. The rate is yours to give: at this one, which is only an example, the sum of the first table is ${example.inline(usd)}.`;
}

function describeLimit(run: CountedRun, assumptions: PlumbingAssumptions): string {
  const providerMs = findProviderMs(run, assumptions, PLUMBING_CEILING_USD);
  return providerMs === undefined
    ? 'Without any wait it is more than that.'
    : `The aim is met as long as a call takes less than ${Math.floor(providerMs)} ms.`;
}
