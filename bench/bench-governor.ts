import { setTimeout as sleep } from 'node:timers/promises';
import { createBenchDatabase } from './apparatus/database.ts';
import { type LimitedServer, type LimitedServerLog, startLimitedServer } from './apparatus/limited-server.ts';
import { readWordnetRows, type WordnetRow } from './apparatus/wordnet-rows.ts';
import { type Fleet, startFleet } from './apparatus/worker-fleet.ts';

const TOKENS_PER_MINUTE = 120_000;
/** So many that tokens bind. */
const REQUESTS_PER_MINUTE = 3_000;
/** So few that requests bind: the call of an edit takes as much of them as one of a whole batch. */
const FEW_REQUESTS_PER_MINUTE = 120;
const BATCH_SIZE = 20;
const DIMENSIONS = 256;
/** Whole windows that are measured. */
const WINDOWS = 4;
/** Seconds in which the workers start and the limits are learned, at the most. */
const START_SECONDS = 60;
const EDITS = 50;
const EDIT_EVERY_MS = 1_200;
/** Seconds in which a fleet must have settled on a limit that was halved. */
const SETTLING_SECONDS = 30;

interface GovernorOptions {
  /** Seconds of the server's windows; a provider has 60. */
  readonly windowSeconds: number;
  readonly print: (line: string) => void;
}

interface Scene extends GovernorOptions {
  readonly serverUrl: string;
  readonly rows: readonly WordnetRow[];
}

/**
 * Measures how a fleet of processes uses what a provider allows a minute.
 * The server is a process of its own that counts by windows of its own clock. Each fleet runs with
 * the governor, which the server's headers teach, and without: a server that names no limits leaves
 * each process to what a 429 tells it.
 */
export async function benchGovernor(serverUrl: string, options: GovernorOptions): Promise<void> {
  const { windowSeconds, print } = options;
  const rows = await readWordnetRows(60_000);
  const scene: Scene = { ...options, serverUrl, rows };
  print(
    `${TOKENS_PER_MINUTE} tokens and ${REQUESTS_PER_MINUTE} requests a minute, counted in windows of ` +
      `${windowSeconds} s; ${WINDOWS} whole windows; calls of ${BATCH_SIZE} texts\n`,
  );
  print('| workers | governor | of the limit, each window | mean | calls | throttled |');
  print('|---|---|---|---|---|---|');
  for (const workers of [4, 8]) {
    for (const namesLimits of [true, false]) await benchUse(scene, workers, namesLimits);
  }
  print(`\n| ${EDITS} edits during the backfill, 4 workers | p50 | p95 | max |\n|---|---|---|---|`);
  await onFleet(scene, 4, true, async (fleet, server) => {
    print(describeEdits('edits go first', await fleet.edit(EDITS, EDIT_EVERY_MS)));
    await benchHalving(scene, fleet, server);
  });
  await onFleet(scene, 4, true, async fleet => {
    await forgetWaitingEdits(fleet);
    print(`\n${describeEdits('no mark of waiting edits', await fleet.edit(EDITS, EDIT_EVERY_MS))}`);
  });
  for (const hasMark of [true, false]) await benchFewRequests(scene, hasMark);
}

/** Edits where requests bind, and not tokens. */
async function benchFewRequests(scene: Scene, hasMark: boolean): Promise<void> {
  const name = `${FEW_REQUESTS_PER_MINUTE} requests a minute, ${hasMark ? 'edits go first' : 'no mark'}`;
  const use = async (fleet: Fleet) => {
    if (!hasMark) await forgetWaitingEdits(fleet);
    scene.print(describeEdits(name, await fleet.edit(EDITS, EDIT_EVERY_MS)));
  };
  await onFleet(scene, 4, true, use, FEW_REQUESTS_PER_MINUTE);
}

async function onFleet(
  { serverUrl, rows, windowSeconds }: Scene,
  workers: number,
  namesLimits: boolean,
  use: (fleet: Fleet, server: LimitedServer, fromWindow: number) => Promise<void>,
  requestsPerMinute = REQUESTS_PER_MINUTE,
): Promise<void> {
  const databaseUrl = await createBenchDatabase(serverUrl, 'freshet_bench_governor', rows);
  const server = await startLimitedServer({
    ...{ requestsPerMinute, tokensPerMinute: TOKENS_PER_MINUTE, windowSeconds },
    ...{ namesLimits, dimensions: DIMENSIONS },
  });
  try {
    const fleet = await startFleet({
      ...{ databaseUrl, baseUrl: server.baseUrl, dimensions: DIMENSIONS, workers, batchSize: BATCH_SIZE },
    });
    try {
      await use(fleet, server, await findFirstWindow(fleet, server, windowSeconds));
      fleet.requireRunning();
    } finally {
      await fleet.stop();
    }
  } finally {
    server.stop();
  }
}

/** Waits for the workers: the first window that begins ten seconds after the fiftieth answer. */
async function findFirstWindow(fleet: Fleet, server: LimitedServer, windowSeconds: number): Promise<number> {
  const untilMs = performance.now() + START_SECONDS * 1000;
  while (performance.now() < untilMs) {
    fleet.requireRunning();
    const { nowMs, calls } = await server.ask();
    const fiftieth = calls.filter(({ isAdmitted }) => isAdmitted)[50];
    if (fiftieth !== undefined && nowMs > fiftieth.atMs + 10_000)
      return Math.ceil(nowMs / (windowSeconds * 1000));
    await sleep(500);
  }
  throw new Error(`the workers made no 50 calls within ${START_SECONDS} s`);
}

async function benchUse(scene: Scene, workers: number, isGoverned: boolean): Promise<void> {
  const { windowSeconds, print } = scene;
  await onFleet(scene, workers, isGoverned, async (_, server, first) => {
    const windows = Array.from({ length: WINDOWS }, (_, offset) => first + offset);
    await waitUntil(server, (first + WINDOWS) * windowSeconds * 1000);
    const { calls } = await server.ask();
    const limit = (TOKENS_PER_MINUTE * windowSeconds) / 60;
    const used = windows.map(window => sumTokens(calls, call => call.window === window) / limit);
    const measured = calls.filter(call => windows.includes(call.window));
    const refused = measured.filter(({ isAdmitted }) => !isAdmitted).length;
    const mean = used.reduce((sum, share) => sum + share, 0) / used.length;
    print(
      `| ${workers} | ${isGoverned ? 'on' : 'off'} | ${used.map(percent).join(', ')} | ${percent(mean)} | ` +
        `${measured.length} | ${refused} = ${percent(refused / measured.length)} |`,
    );
  });
}

/** Halves the limit and watches for refusals; its third window must be used and without them. */
async function benchHalving({ windowSeconds, print }: Scene, fleet: Fleet, server: LimitedServer) {
  fleet.requireRunning();
  const { nowMs: halvedMs } = await server.ask({ tokensPerMinute: TOKENS_PER_MINUTE / 2 });
  const settledMs = halvedMs + SETTLING_SECONDS * 1000;
  const first = Math.ceil(settledMs / (windowSeconds * 1000));
  await waitUntil(server, (first + 2) * windowSeconds * 1000);
  const { calls } = await server.ask();
  const refusedMs = calls.filter(call => !call.isAdmitted && call.atMs >= halvedMs).map(call => call.atMs);
  const late = refusedMs.filter(atMs => atMs >= settledMs).length;
  const limit = (2 * (TOKENS_PER_MINUTE / 2) * windowSeconds) / 60;
  const used = sumTokens(calls, ({ window }) => window >= first && window < first + 2) / limit;
  const last = refusedMs.at(-1) ?? halvedMs;
  print(
    `\nlimit halved: ${refusedMs.length} calls refused, the last ${((last - halvedMs) / 1000).toFixed(1)} s after; ` +
      `${late} refused later than ${SETTLING_SECONDS} s; then ${percent(used)} of the new limit used in 2 windows`,
  );
}

/** Takes the mark away by which bulk work lets an edit go first; the order of messages stays. */
function forgetWaitingEdits(fleet: Fleet): Promise<void> {
  return fleet.query(`
    CREATE FUNCTION public.forget_mark() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN NEW.fresh_waits_until := NULL; RETURN NEW; END $$;
    CREATE TRIGGER forget_mark BEFORE UPDATE ON freshet.paces
      FOR EACH ROW EXECUTE FUNCTION public.forget_mark()`);
}

async function waitUntil(server: LimitedServer, atMs: number): Promise<void> {
  for (;;) {
    const { nowMs } = await server.ask();
    if (nowMs >= atMs) return;
    await sleep(Math.min(atMs - nowMs + 10, 5_000));
  }
}

function sumTokens(
  calls: LimitedServerLog['calls'],
  isMeant: (call: LimitedServerLog['calls'][number]) => boolean,
): number {
  return calls.reduce((sum, call) => sum + (call.isAdmitted && isMeant(call) ? call.tokens : 0), 0);
}

function describeEdits(name: string, tookMs: readonly number[]): string {
  const sorted = tookMs.toSorted((left, right) => left - right);
  const at = (share: number) =>
    `${((sorted[Math.ceil(share * (sorted.length - 1))] ?? 0) / 1000).toFixed(1)} s`;
  return `| ${name} | ${at(0.5)} | ${at(0.95)} | ${at(1)} |`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
