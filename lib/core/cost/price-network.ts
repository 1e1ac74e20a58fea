import { type CostLine, GB } from './cost-line.ts';
import type { CountedRun, Traffic } from './counted-run.ts';
import { PRICES } from './prices.ts';

const ROWS = 1_000_000;

/**
 * Prices the network for a million rows, by the way that the bytes take.
 * Which lines are paid depends on the network in which the functions run.
 */
export function priceNetwork(run: CountedRun): CostLine[] {
  const scale = ROWS / run.rows;
  const gigabytes = ({ sentBytes, receivedBytes }: Traffic) => ((sentBytes + receivedBytes) * scale) / GB;
  const s3Gb = ((run.s3.putBytes + run.s3.getBytes) * scale) / GB;
  const sentGb = (run.provider.sentBytes * scale) / GB;
  const line = (service: string, how: string, gb: number, usdPerGb: number): CostLine => ({
    service,
    how: `${gb.toFixed(2)} GB ${how}`,
    usd: gb * usdPerGb,
  });
  return [
    line(
      'provider, through a NAT gateway',
      'of texts and vectors',
      gigabytes(run.provider),
      PRICES.natGb.usd,
    ),
    line('provider, to the internet', 'of texts', sentGb, PRICES.internetGb.usd),
    line('SQS, through a NAT gateway', 'of ids', gigabytes(run.queueTraffic), PRICES.natGb.usd),
    line(
      'S3, through a NAT gateway (none with `vpc.s3Endpoint`)',
      'of results, there and back',
      s3Gb,
      PRICES.natGb.usd,
    ),
    line(
      'database, in another zone (none in the same)',
      'of PostgreSQL’s protocol',
      gigabytes(run.database),
      PRICES.zoneGb.usd,
    ),
  ];
}
