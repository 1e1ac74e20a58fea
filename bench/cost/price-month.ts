import {
  type CostLine,
  type CountedRun,
  GB,
  MB_PER_GB,
  type PlumbingAssumptions,
  pricePlumbing,
  type Traffic,
  totalOf,
} from '../../lib/core/aws-cost.ts';
import { PRICES } from '../../lib/core/aws-prices.ts';
import { type GpuPlan, HOURS_PER_MONTH, HOURS_PER_WAKE } from './prices.ts';

/** The parts of a stage that watch it, as counted in its template. */
export interface WatchedStage {
  readonly alarms: number;
  /** Metrics watched by all alarms together; one that computes from several watches each. */
  readonly alarmMetrics: number;
  /** Metrics that alarms watch in periods below a minute. `alarmMetrics` leaves them out. */
  readonly highResolutionAlarmMetrics: number;
  readonly compositeAlarms: number;
  readonly dashboards: number;
  /** KMS keys. The topic has a key because alarms cannot publish under the key of SNS. */
  readonly keys: number;
}

/**
 * Prices a month of watching a stage, without free tiers.
 * `series` is the number of custom metric series. `seriesAre` says in words how they were counted.
 */
export function priceWatching(stage: WatchedStage, series: number, seriesAre: string): CostLine[] {
  const { alarms, alarmMetrics, highResolutionAlarmMetrics } = stage;
  const each = (service: string, count: number, how: string, usd: number): CostLine[] =>
    count === 0 ? [] : [{ service, how: `${count} ${how}`, usd: count * usd }];
  return [
    ...each('metrics', series, seriesAre, PRICES.metricMonth.usd),
    ...each('alarms', alarmMetrics, `metrics that ${alarms} alarms watch`, PRICES.alarmMetricMonth.usd),
    ...each(
      'quick alarms',
      highResolutionAlarmMetrics,
      'metrics that alarms watch in periods below a minute',
      PRICES.highResolutionAlarmMetricMonth.usd,
    ),
    ...each('composite alarms', stage.compositeAlarms, 'over the others', PRICES.compositeAlarmMonth.usd),
    ...each(
      'dashboards',
      stage.dashboards,
      '(free where the account has fewer than three)',
      PRICES.dashboardMonth.usd,
    ),
    ...each('keys', stage.keys, 'of KMS, for the alarms’ topic', PRICES.keyMonth.usd),
  ];
}

/** What a deployed stage keeps and invokes, whether rows change or not. */
export interface DeployedStage extends WatchedStage {
  /** Secrets whose values the functions read. */
  readonly secrets: number;
  readonly eventSources: number;
  /** Invocations of each function per month. */
  readonly ticks: Readonly<Record<'detect' | 'guard', number>>;
  readonly memoryMb: Readonly<Record<'detect' | 'guard', number>>;
}

/**
 * Long polls of 20 s that Lambda keeps open on an empty queue.
 * A maximum concurrency keeps Lambda from going down to two (its page on scaling of SQS).
 */
const POLLERS_PER_QUEUE = 5;
const POLLS_PER_HOUR = 180;

/**
 * Prices a month of a stage that nobody writes to, without free tiers.
 * The metric series are those that the counted run wrote.
 */
export function priceMonth(stage: DeployedStage, run: CountedRun): CostLine[] {
  const polls = stage.eventSources * POLLERS_PER_QUEUE * POLLS_PER_HOUR * HOURS_PER_MONTH;
  const each = (service: string, count: number, usd: number, what: string): CostLine => ({
    service,
    how: `${count} ${what}`,
    usd: count * usd,
  });
  return [
    ...priceWatching(stage, run.metricSeries, 'series that the run wrote'),
    each(
      'secrets',
      stage.secrets,
      PRICES.secretMonth.usd,
      'that the functions read: the database’s, and keys',
    ),
    each(
      'idle polling',
      polls,
      PRICES.sqsRequest.usd,
      `receives of ${stage.eventSources} empty queues by ${POLLERS_PER_QUEUE} pollers each, as a maximum concurrency has it`,
    ),
    ...(['detect', 'guard'] as const).map(name => priceTicks(name, stage, run)),
  ];
}

function priceTicks(name: 'detect' | 'guard', { ticks, memoryMb }: DeployedStage, run: CountedRun): CostLine {
  const gbSeconds = ticks[name] * (run.idleMs[name] / 1000) * (memoryMb[name] / MB_PER_GB);
  const logGb = (ticks[name] * run.idleLogBytes[name]) / GB;
  return {
    service: `ticks of ${name}`,
    how: `${ticks[name]} × ${Math.round(run.idleMs[name])} ms, ${memoryMb[name]} MB, ${run.idleLogBytes[name]} bytes of log each`,
    usd:
      ticks[name] * (PRICES.scheduleInvocation.usd + PRICES.lambdaRequest.usd) +
      gbSeconds * PRICES.lambdaGbSecond.usd +
      logGb * PRICES.logGb.usd,
  };
}

const SECONDS_PER_HOUR = 3600;
const MILLION = 1e6;

/** US dollars for a million tokens while the instance is busy. */
export function usdPerMillionTokens({ instance, tokensPerSecond }: GpuPlan): number {
  return (instance.usdPerHour * MILLION) / (SECONDS_PER_HOUR * tokensPerSecond);
}

/**
 * US dollars for embedding `tokens` in one wake of an endpoint that scales to zero.
 * The price of the wake's start and idle end (`HOURS_PER_WAKE`) is included.
 */
export function priceOneWake(plan: GpuPlan, tokens: number): number {
  return (tokens / MILLION) * usdPerMillionTokens(plan) + plan.instance.usdPerHour * HOURS_PER_WAKE;
}

/**
 * Tokens per wake from which waking the instance is cheaper than the hosted price.
 * Undefined where a busy instance costs at least the hosted price per token.
 */
export function breakEvenTokensPerWake(plan: GpuPlan, hostedUsdPerMillion: number): number | undefined {
  const saved = hostedUsdPerMillion - usdPerMillionTokens(plan);
  return saved > 0 ? ((plan.instance.usdPerHour * HOURS_PER_WAKE) / saved) * MILLION : undefined;
}

/**
 * Tokens per month from which one instance that always runs is cheaper.
 * The result can exceed what the instance can embed in a month: compare `mostTokensPerMonth`.
 */
export function breakEvenTokensPerMonth({ instance }: GpuPlan, hostedUsdPerMillion: number): number {
  return ((instance.usdPerHour * HOURS_PER_MONTH) / hostedUsdPerMillion) * MILLION;
}

/** Tokens that one instance can embed in a month without a pause. */
export function mostTokensPerMonth({ tokensPerSecond }: GpuPlan): number {
  return tokensPerSecond * SECONDS_PER_HOUR * HOURS_PER_MONTH;
}

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
