import { startScript } from './apparatus/run-script.ts';
import { CALL_MS, TEXT, TEXT_MS } from './serve-load.ts';

const CLIENTS = 200;
const OVERLOAD = 3;

/** A model behind the service. */
interface ServedModel {
  readonly name: 'simulated' | 'local';
  readonly textsPerCall: number;
  /** Texts per second, in full calls. */
  readonly capacity: number;
  /** About a second of the model's work, and four calls at least: one of them is under way. */
  readonly queuedTexts: number;
}

interface Load {
  readonly perSecond: number;
  readonly seconds: number;
  readonly clients: number;
}

interface Answers {
  readonly statuses: Map<number, number>;
  /** Milliseconds of each request that was answered with a vector, in order. */
  readonly latenciesMs: number[];
  readonly elapsedMs: number;
}

/** How long the process of the service did not look at its events, in milliseconds. */
interface Pauses {
  readonly p99: number;
  readonly longest: number;
}

const SIMULATED_TEXTS = 20;
const SIMULATED_CAPACITY = (SIMULATED_TEXTS * 1000) / (CALL_MS + SIMULATED_TEXTS * TEXT_MS);
const SIMULATED: ServedModel = {
  ...{ name: 'simulated', textsPerCall: SIMULATED_TEXTS, capacity: SIMULATED_CAPACITY },
  queuedTexts: SIMULATED_CAPACITY,
};
/** Provider local computes as many at once. */
const LOCAL_TEXTS = 16;

/**
 * Sends requests at three times the capacity of a service, from 200 clients.
 * The same load goes to a service that batches and to one that embeds text by text. The first model
 * is simulated, so that its figures tell of the queue and not of the machine. With a folder of a
 * real one the same goes to that, whose capacity is measured first.
 */
export async function benchServe(options: {
  readonly seconds: number;
  readonly hasLocalModel: boolean;
  readonly print: (line: string) => void;
}): Promise<void> {
  const { seconds, hasLocalModel, print } = options;
  await benchModel(SIMULATED, seconds, print);
  if (!hasLocalModel) return;
  const capacity = await measureCapacity(seconds);
  const queuedTexts = Math.max(4 * LOCAL_TEXTS, Math.round(capacity));
  await benchModel({ name: 'local', textsPerCall: LOCAL_TEXTS, capacity, queuedTexts }, seconds, print);
}

async function benchModel(model: ServedModel, seconds: number, print: (line: string) => void): Promise<void> {
  const { name, capacity, queuedTexts } = model;
  const perSecond = capacity * OVERLOAD;
  print(
    `${name}: ${CLIENTS} clients, ${Math.round(perSecond)} requests/s for ${seconds} s at a capacity of ` +
      `${Math.round(capacity)}/s; ${Math.round(queuedTexts)} texts may wait, ` +
      `${Math.round((queuedTexts * 1000) / capacity)} ms of its work`,
  );
  const served: number[] = [];
  for (const textsPerCall of [model.textsPerCall, 1]) {
    const load = { perSecond, seconds, clients: CLIENTS };
    const { answers, pauses } = await serveLoad({ ...model, textsPerCall }, load);
    served.push(rateOf(answers));
    print(describe(textsPerCall, answers, pauses));
  }
  print(`${name}, batched against one by one: ${(served[0]! / served[1]!).toFixed(1)}x`);
}

/** Texts per second of the real model where a full call always waits and nothing is refused. */
async function measureCapacity(seconds: number): Promise<number> {
  const model = { name: 'local', textsPerCall: LOCAL_TEXTS, capacity: 0, queuedTexts: 100_000 } as const;
  const { answers } = await serveLoad(model, {
    ...{ perSecond: 100_000, seconds: Math.min(5, seconds) },
    clients: 3 * LOCAL_TEXTS,
  });
  return rateOf(answers);
}

async function serveLoad(
  { name, textsPerCall, queuedTexts }: ServedModel,
  asked: Load,
): Promise<{ readonly answers: Answers; readonly pauses: Pauses }> {
  const { process: child, firstLine: url } = await startScript('apparatus/serve-service.ts', [
    ...[textsPerCall, queuedTexts].map(String),
    name,
  ]);
  try {
    // The first call loads a model.
    await ask(url, 0, { statuses: new Map(), latenciesMs: [] });
    await readPauses(url);
    const answers = await load(url, asked);
    return { answers, pauses: await readPauses(url) };
  } finally {
    child.kill();
  }
}

async function readPauses(url: string): Promise<Pauses> {
  return (await (await fetch(`${url}/pauses`)).json()) as Pauses;
}

/** Sends requests at a fixed rate, whether or not the earlier ones were answered. */
async function load(url: string, { perSecond, seconds, clients }: Load): Promise<Answers> {
  const answers = { statuses: new Map<number, number>(), latenciesMs: [] };
  const underway = new Set<Promise<void>>();
  const startedMs = performance.now();
  const endsMs = startedMs + seconds * 1000;
  for (let sent = 0; sent < perSecond * seconds && performance.now() < endsMs; sent += 1) {
    const waitMs = startedMs + (sent * 1000) / perSecond - performance.now();
    if (waitMs > 0) await new Promise(resolve => setTimeout(resolve, waitMs));
    // No more are under way than there are clients.
    if (underway.size >= clients) await Promise.race(underway);
    const asked = ask(url, sent, answers).finally(() => underway.delete(asked));
    underway.add(asked);
  }
  await Promise.all(underway);
  return { ...answers, elapsedMs: performance.now() - startedMs };
}

async function ask(
  url: string,
  number: number,
  { statuses, latenciesMs }: Omit<Answers, 'elapsedMs'>,
): Promise<void> {
  const startedMs = performance.now();
  const texts = [TEXT.slice(0, -6) + String(number).padStart(6, '0')];
  const response = await fetch(`${url}/v1/embed`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'small', texts, input_type: 'query' }),
  });
  await response.arrayBuffer();
  statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
  if (response.ok) latenciesMs.push(performance.now() - startedMs);
}

function describe(textsPerCall: number, answers: Answers, pauses: Pauses): string {
  const { statuses, latenciesMs } = answers;
  const sorted = latenciesMs.toSorted((left, right) => left - right);
  const at = (share: number) => Math.round(sorted[Math.floor(share * (sorted.length - 1))] ?? 0);
  const counted = [...statuses].sort().map(([status, count]) => `${count} x ${status}`);
  return (
    `${String(textsPerCall).padStart(3)} texts per call: ${Math.round(rateOf(answers))}/s; ` +
    `${counted.join(', ')}; p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, p99 ${at(0.99)} ms; the process paused ` +
    `for ${pauses.p99.toFixed(0)} ms at p99, ${pauses.longest.toFixed(0)} ms at the longest`
  );
}

function rateOf({ latenciesMs, elapsedMs }: Answers): number {
  return (latenciesMs.length * 1000) / elapsedMs;
}
