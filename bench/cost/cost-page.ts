import {
  type CountedRun,
  type PlumbingAssumptions,
  pricePlumbing,
  totalOf,
} from '../../lib/core/aws-cost.ts';
import { PRICES, type Price, type PriceSource } from '../../lib/core/aws-prices.ts';
import { findKnownModel } from '../../lib/core/config/known-models.ts';
import { createMoney, describeLines, formatTable, type Money } from './cost-lines.ts';
import {
  breakEvenTokensPerMonth,
  breakEvenTokensPerWake,
  type DeployedStage,
  findProviderMs,
  mostTokensPerMonth,
  priceMonth,
  priceNetwork,
  priceOneWake,
  priceWatching,
  usdPerMillionTokens,
  type WatchedStage,
} from './price-month.ts';
import { GPU_INSTANCES, GPU_PLANS, type GpuPlan, HOURS_PER_MONTH, HOURS_PER_WAKE } from './prices.ts';

/** What Batch takes of the price of a call: half. */
const BATCH_SHARE = 0.5;

/** Hosted models that are compared with a GPU, with the prices of the list of known models. */
const HOSTED_MODELS = ['text-embedding-3-small', 'text-embedding-3-large'].map(name => {
  const { usdPerMillionTokens: usd } = findKnownModel(name)!;
  return { name, usd, batchUsd: usd * BATCH_SHARE };
});

/** Where prices of hosted models are quoted: no copy of OpenAI’s own page was at hand. */
const HOSTED_SOURCES: readonly PriceSource[] = [
  { page: 'tokenmix.ai/blog/openai-embedding-pricing', dated: 'April 2026' },
  { page: 'embeddingcost.com/openai', dated: 'May 2026' },
];

/** Where it is said that Batch takes half the price. */
const BATCH_SOURCES: readonly PriceSource[] = [{ page: 'help.openai.com/en/articles/9197833' }];

const ROWS = 1_000_000;
const MILLION = 1e6;
const BILLION = 1e9;
const LENGTHS = [50, 200, 500] as const;

interface CostPage {
  readonly run: CountedRun;
  readonly stage: DeployedStage;
  /** What a GPU endpoint adds to the stage, as the templates have it. */
  readonly endpoint: WatchedStage;
  readonly assumptions: PlumbingAssumptions;
  readonly money: Money;
  /** What ran: processor count, Node's version, load. */
  readonly machine: string;
}

/** US dollars that AWS may take for a million rows. */
export const PLUMBING_CEILING_USD = 0.3;

const OTHER_LATENCIES_MS = [250, 500, 1000, 1500, 3000] as const;

/** Writes the page `docs/cost.md`. */
export function composeCostPage({ run, stage, endpoint, assumptions, money, machine }: CostPage): string {
  const plumbing = pricePlumbing(run, assumptions);
  const month = priceMonth(stage, run);
  const latencies = OTHER_LATENCIES_MS.map(providerMs => [
    `${providerMs} ms`,
    ...money.format(totalOf(pricePlumbing(run, { ...assumptions, providerMs }))),
  ]);
  return `# Cost

Written by \`npm run cost\`, which counts anew, or by \`npm run docs:cost\` from the last count (\`lib/core/counted-run.ts\`); do not edit. US dollars are list prices of us-east-1, without free
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

/** Alarms that target tracking makes itself, on a metric of every ten seconds: from memory. */
const TARGET_TRACKING_ALARMS = 2;

function describeEndpoint(endpoint: WatchedStage, money: Money): string {
  const { alarms, alarmMetrics } = endpoint;
  const usd = totalOf(
    priceWatching({ ...endpoint, highResolutionAlarmMetrics: TARGET_TRACKING_ALARMS }, 0, ''),
  );
  return `A GPU endpoint adds ${money.inline(usd)} for being watched: ${alarmMetrics} metrics that ${alarms} alarms watch, and ${TARGET_TRACKING_ALARMS} quick alarms that its scaling makes by itself (their number is from memory).`;
}

/** Tells of the second currency, shown at a rate that nobody claims. */
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

/** Compares the vectors of a million rows where they are bought with a GPU of one's own. */
function describeEmbedding(tokensPerRow: number, money: Money): string {
  const lengths = [tokensPerRow, ...LENGTHS];
  const headings = ['', ...lengths.map(length => `${length.toFixed(length % 1 === 0 ? 0 : 1)} tokens a row`)];
  const both = (usd: number) => money.format(usd).join(' / ');
  const row = (name: string, price: (tokens: number) => number) => [
    name,
    ...lengths.map(length => both(price(length * ROWS))),
  ];
  const hosted = HOSTED_MODELS.flatMap(({ name, usd, batchUsd }) => [
    row(`OpenAI ${name}`, tokens => (tokens / MILLION) * usd),
    row(`the same by Batch, within a day`, tokens => (tokens / MILLION) * batchUsd),
  ]);
  const own = GPU_PLANS.map(plan => row(describePlan(plan), tokens => priceOneWake(plan, tokens)));
  return `## What the vectors of a million rows cost

The first column is the run's own texts. ${money.headings.length > 1 ? `Amounts are ${money.headings.join(' / ')}. ` : ''}A GPU is paid from zero back to zero: ${HOURS_PER_WAKE} hours a wake beside the work (from memory, not measured). *By
Batch* is \`bulk: 'batch'\` of a model ([batches.md](batches.md)).

${formatTable(headings, [...hosted, ...own])}

## From where on a GPU is cheaper

Price alone; another model gives other vectors, and privacy has no price here. Tokens in one wake, and tokens a month for an instance that always runs (${money.inline(GPU_PLANS[0]!.instance.usdPerHour * HOURS_PER_MONTH)} for an
ml.g5.xlarge). *Never*: a busy GPU costs more for a token, or cannot do that many in a month.

${formatTable(
  [
    'instance',
    ...money.headings.map(name => `busy, ${name} for 1M tokens`),
    ...HOSTED_MODELS.flatMap(({ name }) => [name, `${name} by Batch`]),
  ],
  GPU_PLANS.map(plan => [
    describePlan(plan),
    ...money.format(usdPerMillionTokens(plan)),
    ...HOSTED_MODELS.flatMap(({ usd, batchUsd }) => [
      describeBreakEven(plan, usd),
      describeBreakEven(plan, batchUsd),
    ]),
  ]),
)}

Where the throughputs come from:

${GPU_PLANS.map(plan => `* ${describePlan(plan)}: ${plan.evidence}.`).join('\n')}`;
}

function describePlan({ instance, tokensPerSecond }: GpuPlan): string {
  return `${instance.name} at ${tokensPerSecond / 1000}k tokens/s`;
}

function describeBreakEven(plan: GpuPlan, usdPerMillion: number): string {
  const wake = breakEvenTokensPerWake(plan, usdPerMillion);
  const month = breakEvenTokensPerMonth(plan, usdPerMillion);
  return [
    wake === undefined ? 'never' : `${(wake / MILLION).toFixed(wake < 10 * MILLION ? 1 : 0)}M a wake`,
    month > mostTokensPerMonth(plan) ? 'never a month' : `${(month / BILLION).toFixed(1)}B a month`,
  ].join(', ');
}

/** Writes every price that the page is made of, with its sources and their dates. */
export function describePrices(): string {
  const rows = listPrices().map(({ what, usd, unit, origin, sources }) => [
    what,
    formatPrice(usd),
    unit,
    origin,
    sources.length === 0 ? '–' : sources.map(describeSource).join(', '),
  ]);
  return `Origin *vendor* was read on the vendor's own page, *quoted* on somebody else's, and *memory* was read nowhere: check it before you rely on it. A source is *undated* where the page, or the copy
that was read, does not say when it was written. None of these was asked of AWS's price list or seen on a bill.

${formatTable(['what', 'USD', 'for one', 'origin', 'source'], rows)}`;
}

export function listPrices(): readonly Price[] {
  return [
    ...Object.values(PRICES),
    ...HOSTED_MODELS.flatMap(({ name, usd, batchUsd }): Price[] => [
      {
        what: `OpenAI ${name}`,
        usd,
        unit: 'million tokens',
        origin: 'quoted',
        sources: HOSTED_SOURCES,
      },
      {
        what: `OpenAI ${name} by Batch`,
        usd: batchUsd,
        unit: 'million tokens',
        origin: 'vendor',
        sources: BATCH_SOURCES,
      },
    ]),
    ...GPU_INSTANCES.map(
      ({ name, usdPerHour, origin, sources }): Price => ({
        what: `SageMaker ${name}`,
        usd: usdPerHour,
        unit: 'hour',
        origin,
        sources,
      }),
    ),
  ];
}

function describeSource({ page, dated }: PriceSource): string {
  return `${page} (${dated ?? 'undated'})`;
}

/** Writes a price without an exponent, and with the digits with which it was given. */
function formatPrice(usd: number): string {
  return usd.toFixed(12).replace(/\.?0+$/, '');
}
