import { startScript } from './apparatus/run-script.ts';
import { CALL_MS, QUEUED_TEXTS, TEXT, TEXT_MS } from './serve-load.ts';

const CLIENTS = 200;
const TEXTS_PER_CALL = 20;
/** Texts per second of the simulated model, in full calls. */
const CAPACITY = (TEXTS_PER_CALL * 1000) / (CALL_MS + TEXTS_PER_CALL * TEXT_MS);
const OVERLOAD = 3;

interface Load {
  readonly perSecond: number;
  readonly seconds: number;
}

interface Answers {
  readonly statuses: Map<number, number>;
  /** Milliseconds of each request that was answered with a vector, in order. */
  readonly latenciesMs: number[];
  readonly elapsedMs: number;
}

/**
 * Sends requests at three times the capacity of a service, from 200 clients.
 * The same load goes to a service that batches and to one that embeds text by text. The model is
 * simulated, so that the figures tell of the queue and not of the machine.
 */
export async function benchServe(options: {
  readonly seconds: number;
  readonly print: (line: string) => void;
}): Promise<void> {
  const { seconds, print } = options;
  print(
    `${CLIENTS} clients, ${Math.round(CAPACITY * OVERLOAD)} requests/s for ${seconds} s at a capacity of ` +
      `${Math.round(CAPACITY)}/s; ${QUEUED_TEXTS} texts may wait`,
  );
  const served: number[] = [];
  for (const textsPerCall of [TEXTS_PER_CALL, 1]) {
    const { process: child, firstLine: url } = await startScript('apparatus/serve-service.ts', [
      String(textsPerCall),
    ]);
    try {
      const answers = await load(url, { perSecond: CAPACITY * OVERLOAD, seconds });
      served.push(rateOf(answers));
      print(describe(textsPerCall, answers));
    } finally {
      child.kill();
    }
  }
  print(`batched against one by one: ${(served[0]! / served[1]!).toFixed(1)}x`);
}

/** Sends requests at a fixed rate, whether or not the earlier ones were answered. */
async function load(url: string, { perSecond, seconds }: Load): Promise<Answers> {
  const answers = { statuses: new Map<number, number>(), latenciesMs: [] };
  const underway = new Set<Promise<void>>();
  const startedMs = performance.now();
  for (let sent = 0; sent < perSecond * seconds; sent += 1) {
    const waitMs = startedMs + (sent * 1000) / perSecond - performance.now();
    if (waitMs > 0) await new Promise(resolve => setTimeout(resolve, waitMs));
    // No more are under way than there are clients.
    if (underway.size >= CLIENTS) await Promise.race(underway);
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

function describe(textsPerCall: number, answers: Answers): string {
  const { statuses, latenciesMs } = answers;
  const sorted = latenciesMs.toSorted((left, right) => left - right);
  const at = (share: number) => Math.round(sorted[Math.floor(share * (sorted.length - 1))] ?? 0);
  const counted = [...statuses].sort().map(([status, count]) => `${count} x ${status}`);
  return (
    `${String(textsPerCall).padStart(3)} texts per call: ${Math.round(rateOf(answers))}/s; ` +
    `${counted.join(', ')}; p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, p99 ${at(0.99)} ms`
  );
}

function rateOf({ latenciesMs, elapsedMs }: Answers): number {
  return (latenciesMs.length * 1000) / elapsedMs;
}
