import { formatTable } from './format-money.ts';
import {
  BATCH_SOURCES,
  GPU_INSTANCES,
  HOSTED_MODELS,
  HOSTED_SOURCES,
  PRICES,
  type Price,
  type PriceSource,
} from './prices.ts';

/** Lists every price used on the cost page, with its sources and their dates. */
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

/** Lists the prices of AWS, of hosted models and of GPU instances in one form. */
export function listPrices(): readonly Price[] {
  return [
    ...Object.values(PRICES),
    ...HOSTED_MODELS.flatMap(({ name, usdPerMillionTokens, batchUsdPerMillionTokens }): Price[] => [
      {
        what: `OpenAI ${name}`,
        usd: usdPerMillionTokens,
        unit: 'million tokens',
        origin: 'quoted',
        sources: HOSTED_SOURCES,
      },
      {
        what: `OpenAI ${name} by Batch`,
        usd: batchUsdPerMillionTokens,
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

/** Formats a price without an exponent and without trailing zeros. */
function formatPrice(usd: number): string {
  return usd.toFixed(12).replace(/\.?0+$/, '');
}
