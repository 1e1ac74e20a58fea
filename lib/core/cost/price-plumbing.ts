import { type CostLine, GB, totalOf } from './cost-line.ts';
import type { CountedRun, RunFunction } from './counted-run.ts';
import { PRICES } from './prices.ts';

/** What `pricePlumbing` needs and a run cannot count. */
export interface PlumbingAssumptions {
  /** Milliseconds of one provider call. `embed` waits for the answer and is billed for it. */
  readonly providerMs: number;
  /**
   * Share of the invocations that X-Ray traces, 0 to 1.
   * X-Ray's default traces the first request of each second, and this share of the rest.
   */
  readonly tracedShare: number;
  readonly claimRetentionDays: number;
  /** Bytes of Lambda's own JSON lines about an invocation: its start and its report. */
  readonly platformLogBytes: number;
}

const ROWS = 1_000_000;
const MB_PER_GB = 1024;
const DAYS_PER_MONTH = 30;

/**
 * Finds the milliseconds per provider call at which a million rows cost `usd`.
 * Undefined where a million rows cost more even without any wait.
 */
export function findProviderMs(
  run: CountedRun,
  assumptions: PlumbingAssumptions,
  usd: number,
): number | undefined {
  const at = (providerMs: number) => totalOf(pricePlumbing(run, { ...assumptions, providerMs }));
  const usdPerMs = (at(1000) - at(0)) / 1000;
  const wait = (usd - at(0)) / usdPerMs;
  return wait > 0 ? wait : undefined;
}

/**
 * Prices what AWS charges for a million rows.
 * The provider's price and the network (`priceNetwork`) are left out.
 */
export function pricePlumbing(run: CountedRun, assumptions: PlumbingAssumptions): CostLine[] {
  const scale = ROWS / run.rows;
  const invocations = Object.values(run.functions).reduce((sum, one) => sum + one.invocations, 0) * scale;
  const platformGb = (invocations * assumptions.platformLogBytes) / GB;
  return [
    ...(['detect', 'embed', 'write'] as const).map(name => priceFunction(run, name, assumptions)),
    priceQueues(run),
    ...priceClaims(run, assumptions),
    {
      service: 'CloudWatch Logs',
      how: `${((run.logBytes * scale) / GB).toFixed(3)} GB of lines and metrics, ${platformGb.toFixed(3)} GB of Lambda’s own (${assumptions.platformLogBytes} bytes an invocation, assumed)`,
      usd: ((run.logBytes * scale) / GB + platformGb) * PRICES.logGb.usd,
    },
    {
      service: 'X-Ray',
      how: `${Math.round(invocations * assumptions.tracedShare)} traces (${assumptions.tracedShare * 100} % of the invocations, assumed)`,
      usd: invocations * assumptions.tracedShare * PRICES.traceRecorded.usd,
    },
  ];
}

function priceFunction(run: CountedRun, name: RunFunction, { providerMs }: PlumbingAssumptions): CostLine {
  const { invocations, memoryMb, invocationMs, startMs, environments } = run.functions[name];
  const scale = ROWS / run.rows;
  const waitedMs = name === 'embed' ? (run.providerCalls / invocations) * providerMs : 0;
  const busyMs = invocations * scale * (invocationMs + waitedMs) + environments * startMs;
  const gbSeconds = (busyMs / 1000) * (memoryMb / MB_PER_GB);
  const waited = waitedMs > 0 ? ` and ${Math.round(waitedMs)} ms for the provider (assumed)` : '';
  return {
    service: `Lambda ${name}`,
    how: `${Math.round(invocations * scale)} invocations × ${Math.round(invocationMs)} ms${waited}, ${memoryMb} MB, and ${environments} × ${Math.round(startMs)} ms to start`,
    usd: gbSeconds * PRICES.lambdaGbSecond.usd + invocations * scale * PRICES.lambdaRequest.usd,
  };
}

function priceQueues({ rows, sqs }: CountedRun): CostLine {
  const scale = ROWS / rows;
  const counts = Object.entries(sqs).map(
    ([action, { requests, pieces }]) =>
      `${Math.round(requests * scale)} ${action}${pieces === requests ? '' : ` (${Math.round(pieces * scale)} pieces of 64 KB)`}`,
  );
  const pieces = Object.values(sqs).reduce((sum, one) => sum + one.pieces, 0);
  return { service: 'SQS', how: counts.join(', '), usd: pieces * scale * PRICES.sqsRequest.usd };
}

function priceClaims({ rows, s3 }: CountedRun, { claimRetentionDays }: PlumbingAssumptions): CostLine[] {
  const scale = ROWS / rows;
  const storedGb = (s3.putBytes * scale) / GB;
  return [
    {
      service: 'S3 requests',
      how: `${Math.round(s3.puts * scale)} PUT, ${Math.round(s3.gets * scale)} GET`,
      usd: scale * (s3.puts * PRICES.s3Put.usd + s3.gets * PRICES.s3Get.usd),
    },
    {
      service: 'S3 storage',
      how: `${storedGb.toFixed(2)} GB of results for ${claimRetentionDays} days`,
      usd: storedGb * (claimRetentionDays / DAYS_PER_MONTH) * PRICES.s3GbMonth.usd,
    },
  ];
}
