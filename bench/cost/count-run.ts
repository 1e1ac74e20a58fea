import { createTokenizer } from '../../lib/adapters/tokenizer.ts';
import { CONSUMERS, FUNCTION_SETTINGS } from '../../lib/constructs/function-settings.ts';
import type { CountedRun, RunFunction } from '../../lib/core/aws-cost.ts';
import { makeContext } from '../../test/factories/lambda-event.ts';
import { median } from '../apparatus/measurement.ts';
import { readWordnetRows } from '../apparatus/wordnet-rows.ts';

import { type CountedRequest, sumQueueTraffic, sumRequests, sumTraffic } from './count-traffic.ts';
import { type LoadedFunctions, loadFunctions, pollAsLambda } from './lambda-host.ts';
import { type CountedDeployment, createItems, openCountedDeployment } from './open-counted-deployment.ts';

const DIMENSIONS = 1536;

/** Bytes that CloudWatch Logs adds to each event that it takes in. */
const EVENT_BYTES = 26;

type Watches = Readonly<Record<RunFunction, ReturnType<typeof createStopwatch>>>;

/**
 * Embeds rows by the functions that a stack deploys, and counts what passes through them.
 * Counted is what passes between the functions and everything else. `environments` are copies of a
 * function that run at once; they are not simulated, only passed on to whoever prices the run.
 */
export async function countRun(
  rowCount: number,
  environments: Readonly<Record<RunFunction, number>>,
): Promise<CountedRun> {
  const rows = await readWordnetRows(rowCount);
  const deployment = await openCountedDeployment(DIMENSIONS);
  const functions = loadFunctions(deployment);
  try {
    const tokens = await createItems(deployment.database, rows, createTokenizer());
    await functions.migrate({}, makeContext());
    const watches = { detect: createStopwatch(), embed: createStopwatch(), write: createStopwatch() };
    const counted = await countBetween(deployment, functions, () => embedAll(deployment, functions, watches));
    const idle = await timeIdle(functions);
    const describe = (name: RunFunction) => {
      const { wiringMs, ...steady } = watches[name].read();
      const { memoryMb } = FUNCTION_SETTINGS[name];
      const startMs = (functions.loadMs[name] ?? 0) + wiringMs;
      return { ...steady, memoryMb, startMs, environments: environments[name] };
    };
    return {
      rows: rows.length,
      tokens,
      dimensions: DIMENSIONS,
      functions: { detect: describe('detect'), embed: describe('embed'), write: describe('write') },
      ...counted,
      ...idle,
      metricSeries: countSeries(functions.lines),
    };
  } finally {
    await deployment.close();
    functions.remove();
  }
}

/** Ticks and polls until a tick finds nothing. Resolves with the requests of Lambda's poller. */
async function embedAll(
  { client, queues }: CountedDeployment,
  { detect, embed, write }: LoadedFunctions,
  watches: Watches,
): Promise<CountedRequest[]> {
  const polled: CountedRequest[] = [];
  for (;;) {
    const found = await watches.detect.time(() => detect({ pass: 'reconcile' }, makeContext()));
    if (found.spaces.every(({ leased }) => leased === 0)) return polled;
    for (const { url } of [queues.fresh, queues.bulk])
      polled.push(
        ...(await pollAsLambda(client, url, CONSUMERS.embed.batchSize, event =>
          watches.embed.time(() => embed(event, makeContext())),
        )),
      );
    polled.push(
      ...(await pollAsLambda(client, queues.results.url, CONSUMERS.write.batchSize, event =>
        watches.write.time(() => write(event, makeContext())),
      )),
    );
  }
}

async function countBetween(
  { aws, openAi, protocol, provider }: CountedDeployment,
  { lines }: LoadedFunctions,
  work: () => Promise<readonly CountedRequest[]>,
) {
  const linesBefore = lines.length;
  const callsBefore = provider.callCount;
  const before = protocol.read();
  aws.requests.length = 0;
  openAi.requests.length = 0;
  const polled = await work();
  const after = protocol.read();
  return {
    ...sumRequests([...aws.requests, ...polled]),
    queueTraffic: sumQueueTraffic(aws.requests),
    providerCalls: provider.callCount - callsBefore,
    provider: sumTraffic(openAi.requests),
    database: {
      sentBytes: after.sentBytes - before.sentBytes,
      receivedBytes: after.receivedBytes - before.receivedBytes,
    },
    logBytes: countLineBytes(lines.slice(linesBefore)),
  };
}

/** Times a tick of `detect` and `guard` that finds nothing: the second, as the first wires. */
async function timeIdle({ detect, guard, lines }: LoadedFunctions) {
  const ticks = {
    detect: () => detect({ pass: 'incremental' }, makeContext()),
    guard: () => guard({}, makeContext()),
  };
  const idleMs = { detect: 0, guard: 0 };
  const idleLogBytes = { detect: 0, guard: 0 };
  for (const name of ['detect', 'guard'] as const) {
    await ticks[name]();
    const linesBefore = lines.length;
    const began = performance.now();
    await ticks[name]();
    idleMs[name] = performance.now() - began;
    idleLogBytes[name] = countLineBytes(lines.slice(linesBefore));
  }
  return { idleMs, idleLogBytes };
}

function countLineBytes(lines: readonly string[]): number {
  return lines.reduce((sum, line) => sum + Buffer.byteLength(line) + EVENT_BYTES, 0);
}

/** A line of CloudWatch's embedded metric format, as far as it is read here. */
interface MetricLine {
  readonly _aws?: {
    readonly CloudWatchMetrics?: readonly {
      readonly Namespace: string;
      readonly Dimensions: readonly (readonly string[])[];
      readonly Metrics: readonly { readonly Name: string }[];
    }[];
  };
  readonly [property: string]: unknown;
}

/**
 * Counts the distinct metrics that lines of CloudWatch's embedded metric format make.
 * Each name with each set of values of its dimensions is one metric.
 */
function countSeries(lines: readonly string[]): number {
  const series = new Set<string>();
  for (const line of lines) {
    const event = JSON.parse(line) as MetricLine;
    for (const { Namespace, Dimensions, Metrics } of event._aws?.CloudWatchMetrics ?? [])
      for (const names of Dimensions)
        for (const { Name } of Metrics)
          series.add(JSON.stringify([Namespace, Name, names.map(name => [name, event[name]])]));
  }
  return series.size;
}

/** Measures how long the invocations of one function take, in milliseconds. */
function createStopwatch() {
  const durations: number[] = [];
  return {
    async time<Result>(invoke: () => Promise<Result>): Promise<Result> {
      const began = performance.now();
      try {
        return await invoke();
      } finally {
        durations.push(performance.now() - began);
      }
    },
    /**
     * Reads the median of the invocations, without the first.
     * The first invocation wires the function: what it took beyond the others belongs to the start.
     */
    read(): { invocations: number; invocationMs: number; wiringMs: number } {
      const [first = 0, ...others] = durations;
      const invocationMs = others.length === 0 ? first : median(others);
      return { invocations: durations.length, invocationMs, wiringMs: Math.max(0, first - invocationMs) };
    },
  };
}
