import { type CostLine, GB } from './cost-line.ts';
import type { CountedRun } from './counted-run.ts';
import { priceWatching, type WatchedStage } from './price-watching.ts';
import { HOURS_PER_MONTH, PRICES } from './prices.ts';

/** What a deployed stage keeps and invokes, whether rows change or not. */
export interface DeployedStage extends WatchedStage {
  /** Secrets whose values the functions read. */
  readonly secrets: number;
  readonly eventSources: number;
  /** Invocations of each function per month. */
  readonly ticks: Readonly<Record<'detect' | 'guard', number>>;
  readonly memoryMb: Readonly<Record<'detect' | 'guard', number>>;
}

/** Long polls of 20 s that Lambda keeps open on an empty queue: from memory. */
const POLLERS_PER_QUEUE = 5;
const POLLS_PER_HOUR = 180;

const MB_PER_GB = 1024;

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
    each('idle polling', polls, PRICES.sqsRequest.usd, `receives of ${stage.eventSources} empty queues`),
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
