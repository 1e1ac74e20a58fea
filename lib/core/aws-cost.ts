import { PRICES } from './aws-prices.ts';
import { CLAIM_RETENTION_DAYS } from './messages.ts';

/** One priced line of a cost table. */
export interface CostLine {
  readonly service: string;
  /** What was counted, and how the count was priced. */
  readonly how: string;
  readonly usd: number;
}

export function totalOf(lines: readonly CostLine[]): number {
  return lines.reduce((sum, { usd }) => sum + usd, 0);
}

/** Bytes in a gigabyte as AWS bills it. */
export const GB = 1e9;

/** The counts of a real run. Durations are those of the machine that ran it. */
export interface CountedRun {
  readonly rows: number;
  /** Tokens of all rows together, counted by the model's tokenizer. */
  readonly tokens: number;
  readonly dimensions: number;
  readonly functions: Readonly<Record<RunFunction, CountedFunction>>;
  /** Milliseconds of a tick that finds nothing to do. */
  readonly idleMs: { readonly detect: number; readonly guard: number };
  readonly providerCalls: number;
  /** By SQS action: its requests, and the billed pieces of 64 KB. */
  readonly sqs: Readonly<Record<string, { readonly requests: number; readonly pieces: number }>>;
  /** `keptBytes` are of the objects that were not deleted. */
  readonly s3: Readonly<Record<'puts' | 'gets' | 'deletes' | 'putBytes' | 'getBytes' | 'keptBytes', number>>;
  readonly provider: Traffic;
  readonly database: Traffic;
  readonly queueTraffic: Traffic;
  readonly logBytes: number;
  /** Bytes of log that one idle tick writes. */
  readonly idleLogBytes: { readonly detect: number; readonly guard: number };
  /** Number of distinct pairs of a metric's name and its dimensions. */
  readonly metricSeries: number;
}

export type RunFunction = 'detect' | 'embed' | 'write';

/** The counts of one Lambda function over the run. */
interface CountedFunction {
  readonly invocations: number;
  readonly memoryMb: number;
  /** Median duration of an invocation. The first invocation is left out. */
  readonly invocationMs: number;
  /**
   * Milliseconds of a cold start.
   * They are the time to load the function, and what its first invocation took beyond the later
   * ones.
   */
  readonly startMs: number;
  /** Execution environments that run at the same time, at most. Each pays one start. */
  readonly environments: number;
}

/** Bytes to and from one partner, as the functions see them. */
export interface Traffic {
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

export const MB_PER_GB = 1024;

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
  /** Hours that a result object is stored before `write` deletes it. */
  readonly claimHours: number;
  /** Bytes of Lambda's own JSON lines about an invocation: its start and its report. */
  readonly platformLogBytes: number;
  /** Environments of `embed` at once for a backfill, which a tick of `detect` waits for. */
  readonly bulkEnvironments: number;
}

/** What cannot be counted without an account. `PlumbingAssumptions` says what each number is. */
export const UNCOUNTED: Omit<PlumbingAssumptions, 'bulkEnvironments'> = {
  providerMs: 500,
  tracedShare: 0.05,
  claimRetentionDays: CLAIM_RETENTION_DAYS,
  claimHours: 1,
  platformLogBytes: 700,
};

/** The rows that docs/cost.md prices. */
const PRICED_ROWS = 1_000_000;
const DAYS_PER_MONTH = 30;

/**
 * Prices what AWS charges for so many rows, as many to a message as the run had.
 * The provider's price and the network (`priceNetwork`) are left out.
 */
export function pricePlumbing(
  run: CountedRun,
  assumptions: PlumbingAssumptions,
  rows = PRICED_ROWS,
): CostLine[] {
  const scale = rows / run.rows;
  const invocations = Object.values(run.functions).reduce((sum, one) => sum + one.invocations, 0) * scale;
  const ourGb = (run.logBytes * scale) / GB;
  const platformGb = (invocations * assumptions.platformLogBytes) / GB;
  const ofLambda = `Lambda’s own (${assumptions.platformLogBytes} bytes an invocation, assumed)`;
  return [
    ...(['detect', 'embed', 'write'] as const).map(name => priceFunction(run, name, assumptions, scale)),
    priceGoingOn(run, assumptions, scale),
    priceQueues(run, scale),
    ...priceClaims(run, assumptions, scale),
    {
      service: 'CloudWatch Logs',
      how: `${ourGb.toFixed(3)} GB of lines and metrics, ${platformGb.toFixed(3)} GB of ${ofLambda}`,
      usd: (ourGb + platformGb) * PRICES.logGb.usd,
    },
    {
      service: 'X-Ray',
      how:
        `${Math.round(invocations * assumptions.tracedShare)} traces ` +
        `(${assumptions.tracedShare * 100} % of the invocations, assumed)`,
      usd: invocations * assumptions.tracedShare * PRICES.traceRecorded.usd,
    },
  ];
}

/**
 * Prices the ticks of `detect` that go on while the workers of the bulk lane drain the rows.
 * A tick waits for as long as the workers take, which is their invocations one beside the other.
 */
function priceGoingOn(
  run: CountedRun,
  { providerMs, bulkEnvironments: bulk }: PlumbingAssumptions,
  scale: number,
): CostLine {
  const { invocations, invocationMs } = run.functions.embed;
  const eachMs = invocationMs + (run.providerCalls / invocations) * providerMs;
  const seconds = invocations * scale * (eachMs / 1000 / bulk);
  const { memoryMb } = run.functions.detect;
  return {
    service: 'Lambda detect, going on',
    how: `${Math.round(seconds)} s of ticks beside ${bulk} workers, ${memoryMb} MB`,
    usd: seconds * (memoryMb / MB_PER_GB) * PRICES.lambdaGbSecond.usd,
  };
}

function priceFunction(
  run: CountedRun,
  name: RunFunction,
  { providerMs }: PlumbingAssumptions,
  scale: number,
): CostLine {
  const { invocations, memoryMb, invocationMs, startMs, environments } = run.functions[name];
  const waitedMs = name === 'embed' ? (run.providerCalls / invocations) * providerMs : 0;
  const started = Math.min(environments, Math.ceil(invocations * scale));
  const busyMs = invocations * scale * (invocationMs + waitedMs) + started * startMs;
  const gbSeconds = (busyMs / 1000) * (memoryMb / MB_PER_GB);
  const waited = waitedMs > 0 ? ` and ${Math.round(waitedMs)} ms for the provider (assumed)` : '';
  return {
    service: `Lambda ${name}`,
    how:
      `${Math.round(invocations * scale)} invocations × ${Math.round(invocationMs)} ms${waited}, ` +
      `${memoryMb} MB, and ${started} × ${Math.round(startMs)} ms to start`,
    usd: gbSeconds * PRICES.lambdaGbSecond.usd + invocations * scale * PRICES.lambdaRequest.usd,
  };
}

function priceQueues({ sqs }: CountedRun, scale: number): CostLine {
  const counts = Object.entries(sqs).map(([action, { requests, pieces }]) => {
    const billed = pieces === requests ? '' : ` (${Math.round(pieces * scale)} pieces of 64 KB)`;
    return `${Math.round(requests * scale)} ${action}${billed}`;
  });
  const pieces = Object.values(sqs).reduce((sum, one) => sum + one.pieces, 0);
  return { service: 'SQS', how: counts.join(', '), usd: pieces * scale * PRICES.sqsRequest.usd };
}

function priceClaims(
  { s3 }: CountedRun,
  { claimRetentionDays, claimHours }: PlumbingAssumptions,
  scale: number,
): CostLine[] {
  const keptGb = (s3.keptBytes * scale) / GB;
  const writtenGb = (s3.putBytes * scale) / GB - keptGb;
  const storedGbDays = writtenGb * (claimHours / 24) + keptGb * claimRetentionDays;
  return [
    {
      service: 'S3 requests',
      how:
        `${Math.round(s3.puts * scale)} PUT, ${Math.round(s3.gets * scale)} GET, ` +
        `${Math.round(s3.deletes * scale)} DELETE (free)`,
      usd: scale * (s3.puts * PRICES.s3Put.usd + s3.gets * PRICES.s3Get.usd),
    },
    {
      service: 'S3 storage',
      how:
        `${writtenGb.toFixed(2)} GB of results until \`write\` deletes them, ` +
        `within ${claimHours} h (assumed)` +
        (keptGb === 0 ? '' : `; ${keptGb.toFixed(2)} GB that stay for ${claimRetentionDays} days`),
      usd: (storedGbDays / DAYS_PER_MONTH) * PRICES.s3GbMonth.usd,
    },
  ];
}

/** What a quote says of the work that AWS is paid for. */
interface QuotedWork {
  readonly rows: number;
  readonly calls: number;
  /** Rows of a message. */
  readonly batchSize: number;
  /** Milliseconds of one call. */
  readonly callMs: number;
  /** Environments of `embed` at once. */
  readonly bulkEnvironments: number;
}

/**
 * Prices what AWS charges for embedding quoted rows, by the count of `run`.
 * A message costs what it was counted to cost, however many rows it has, and the calls are waited
 * for as long as calls take. The provider's price and the network are left out.
 */
export function priceQuotedRows(run: CountedRun, work: QuotedWork): number {
  const { rows, calls, batchSize, callMs, bulkEnvironments } = work;
  if (rows === 0) return 0;
  const { invocations } = run.functions.embed;
  const messages = Math.ceil(rows / batchSize);
  const alike: CountedRun = {
    ...run,
    rows: invocations * batchSize,
    providerCalls: (invocations * calls) / messages,
  };
  const assumptions = { ...UNCOUNTED, providerMs: callMs, bulkEnvironments };
  return totalOf(pricePlumbing(alike, assumptions, messages * batchSize));
}
