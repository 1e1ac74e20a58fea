import { formatTable, type Money } from './format-money.ts';
import {
  breakEvenTokensPerMonth,
  breakEvenTokensPerWake,
  mostTokensPerMonth,
  priceOneWake,
  usdPerMillionTokens,
} from './price-gpu.ts';
import { GPU_PLANS, type GpuPlan, HOSTED_MODELS, HOURS_PER_MONTH, HOURS_PER_WAKE } from './prices.ts';

const ROWS = 1_000_000;
const MILLION = 1e6;
const BILLION = 1e9;
const LENGTHS = [50, 200, 500] as const;

/**
 * Describes what the vectors of a million rows cost: bought, and on one's own GPU.
 * `tokensPerRow` is the mean of the counted run.
 */
export function describeEmbedding(tokensPerRow: number, money: Money): string {
  const lengths = [tokensPerRow, ...LENGTHS];
  const headings = ['', ...lengths.map(length => `${length.toFixed(length % 1 === 0 ? 0 : 1)} tokens a row`)];
  const both = (usd: number) => money.format(usd).join(' / ');
  const row = (name: string, price: (tokens: number) => number) => [
    name,
    ...lengths.map(length => both(price(length * ROWS))),
  ];
  const hosted = HOSTED_MODELS.flatMap(({ name, usdPerMillionTokens: usd, batchUsdPerMillionTokens }) => [
    row(`OpenAI ${name}`, tokens => (tokens / MILLION) * usd),
    row(`the same by Batch, within a day`, tokens => (tokens / MILLION) * batchUsdPerMillionTokens),
  ]);
  const own = GPU_PLANS.map(plan => row(describePlan(plan), tokens => priceOneWake(plan, tokens)));
  return `## What the vectors of a million rows cost

The first column is the run's own texts. ${money.headings.length > 1 ? `Amounts are ${money.headings.join(' / ')}. ` : ''}A GPU is paid from zero back to zero: ${HOURS_PER_WAKE} hours a wake beside the work (from memory, not measured). Freshet
itself does not use Batch yet; its price stands here for comparison.

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
    ...HOSTED_MODELS.flatMap(({ usdPerMillionTokens: usd, batchUsdPerMillionTokens: batch }) => [
      describeBreakEven(plan, usd),
      describeBreakEven(plan, batch),
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
