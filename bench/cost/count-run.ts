import { createTokenizer } from '../../lib/adapters/tokenizer.ts';
import { CONSUMERS, FUNCTION_SETTINGS } from '../../lib/constructs/function-settings.ts';
import { makeContext } from '../../test/factories/lambda-event.ts';
import { readWordnetRows } from '../apparatus/wordnet-rows.ts';
import type { CountedRun, RunFunction } from './cost-lines.ts';
import type { CountedRequest } from './count-requests.ts';
import { countSeries } from './count-series.ts';
import { createItems } from './create-items.ts';
import { type LoadedFunctions, loadFunctions } from './load-functions.ts';
import { type CountedDeployment, openCountedDeployment } from './open-counted-deployment.ts';
import { pollAsLambda } from './poll-as-lambda.ts';
import { createStopwatch } from './stopwatch.ts';
import { sumQueueTraffic, sumRequests, sumTraffic } from './sum-requests.ts';

const DIMENSIONS = 1536;

/** CloudWatch Logs adds them to each event that it takes in. */
const EVENT_BYTES = 26;

type Watches = Readonly<Record<RunFunction, ReturnType<typeof createStopwatch>>>;

/** Embeds so many rows by the functions that a stack deploys, and counts what passes between them and everything else. */
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

/** Ticks and polls until a tick finds nothing. Resolves with the requests that Lambda itself makes of the queues. */
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

/** The second tick of each: the first one of `guard` wires it. */
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
