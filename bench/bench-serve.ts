import type { ChildProcess } from 'node:child_process';
import { Agent, request } from 'node:http';
import { median } from './apparatus/measurement.ts';
import { startScript } from './apparatus/run-script.ts';
import { CALL_MS, percentile, type ServiceUsage, TEXT_MS, type TextKind, writeText } from './serve-load.ts';

const CLIENTS = 200;
const OVERLOAD = 3;
/** Texts of a call: as many as provider local computes at once. */
const BATCH = 64;
/** Clients that keep a service at work: a call is under way, and two are full behind it. */
const BUSY_CLIENTS = 3 * BATCH;
/** Both services are measured in turn, so many times: a machine is not always as fast. */
const ROUNDS = 3;
/** A bound that nothing reaches. */
const UNBOUNDED_MS = 600_000;
/** The shortest bound that a configuration can give a queue. */
const LEAST_QUEUE_MS = 1000;
/** What the clients ask for at once is this many times what the bound lets in. */
const ASKED_OVER_BOUND = 4;
/** As much of a load as V8 needs to compile what answers it. */
const WARM_UP_SECONDS = 2;

type ModelName = 'simulated' | 'local';

interface Running {
  readonly process: ChildProcess;
  readonly url: string;
}

interface Load {
  readonly kind: TextKind;
  readonly clients: number;
  /** Texts of each request. */
  readonly texts: number;
  /** Requests. Infinity: a client asks again as soon as it is answered. */
  readonly perSecond: number;
  readonly seconds: number;
}

interface Answers {
  readonly statuses: Map<number, number>;
  /** Milliseconds of each request that was answered with a vector, in order. */
  readonly latenciesMs: number[];
  readonly elapsedMs: number;
  /** Processor time of the load itself: the service and its model have what is left. */
  readonly loadCpuMs: number;
  readonly usage: ServiceUsage;
}

/** What a service does where nothing is refused and a full call always waits. */
interface Pace {
  readonly perSecond: number;
  readonly modelCpuMs: number;
  readonly ownCpuMs: number;
  readonly loadCpuMs: number;
}

/**
 * Measures batches against calls of one text, and sends three times the capacity from 200 clients.
 * The first model is simulated, so that its figures tell of the queue and not of the machine. With
 * a folder of a real one the same goes to that, for short texts and for sentences: what its texts
 * share of a call is the smaller, the longer they are.
 */
export async function benchServe(options: {
  readonly seconds: number;
  readonly hasLocalModel: boolean;
  readonly print: (line: string) => void;
}): Promise<void> {
  const { seconds, hasLocalModel, print } = options;
  const ideal = ((CALL_MS + TEXT_MS) / (CALL_MS / BATCH + TEXT_MS)).toFixed(1);
  print(`simulated: ${CALL_MS} ms a call and ${TEXT_MS} ms a text, so that batches are worth ${ideal}x`);
  await benchModel('simulated', 'queries', seconds, print);
  if (!hasLocalModel) return;
  for (const kind of ['queries', 'sentences'] as const) await benchModel('local', kind, seconds, print);
}

async function benchModel(
  name: ModelName,
  kind: TextKind,
  seconds: number,
  print: (line: string) => void,
): Promise<void> {
  const label = name === 'local' ? `local, ${kind}` : name;
  const { batched, single } = await compare(name, kind, seconds / ROUNDS);
  for (const [texts, pace] of [[BATCH, batched] as const, [1, single] as const])
    print(
      `${label}, up to ${texts} texts a call: ${pace.perSecond.toFixed(1)} texts/s; CPU a text: service ` +
        `${pace.ownCpuMs.toFixed(2)} ms, model ${pace.modelCpuMs.toFixed(2)} ms, load ${pace.loadCpuMs.toFixed(2)} ms`,
    );
  const byCpu = `${(single.modelCpuMs / batched.modelCpuMs).toFixed(1)}x by the model's CPU`;
  const byRate = `${(batched.perSecond / single.perSecond).toFixed(1)}x by texts a second`;
  print(`${label}, batched against one by one: ${byRate}${name === 'local' ? `, ${byCpu}` : ''}`);

  const atOnce = (batched.perSecond * LEAST_QUEUE_MS * ASKED_OVER_BOUND) / 1000;
  const texts = Math.ceil(atOnce / CLIENTS);
  const service = await serve(name, BATCH, LEAST_QUEUE_MS);
  try {
    const perSecond = (OVERLOAD * batched.perSecond) / texts;
    const answers = await load(service.url, { kind, clients: CLIENTS, texts, perSecond, seconds });
    const asked = `${CLIENTS} clients, ${Math.round(perSecond)} requests/s of ${texts} texts`;
    print(`${label}, ${asked}: ${describe(answers, texts)}`);
  } finally {
    service.process.kill();
  }
}

/** Measures a service that batches and one that does not, in turn; gives the medians. */
async function compare(name: ModelName, kind: TextKind, seconds: number) {
  const services = [await serve(name, BATCH, UNBOUNDED_MS), await serve(name, 1, UNBOUNDED_MS)];
  try {
    const paces: Pace[][] = [[], []];
    const perSecond = Number.POSITIVE_INFINITY;
    const asked = { kind, clients: BUSY_CLIENTS, texts: 1, perSecond, seconds };
    for (let round = 0; round < ROUNDS; round += 1)
      for (const [place, { url }] of services.entries()) {
        const { latenciesMs, elapsedMs, loadCpuMs, usage } = await load(url, asked);
        const texts = latenciesMs.length;
        paces[place]!.push({
          perSecond: (texts * 1000) / elapsedMs,
          ...{ modelCpuMs: usage.modelCpuMs / texts, ownCpuMs: usage.ownCpuMs / texts },
          loadCpuMs: loadCpuMs / texts,
        });
      }
    const middle = (measured: readonly Pace[]): Pace => ({
      perSecond: median(measured.map(pace => pace.perSecond)),
      modelCpuMs: median(measured.map(pace => pace.modelCpuMs)),
      ownCpuMs: median(measured.map(pace => pace.ownCpuMs)),
      loadCpuMs: median(measured.map(pace => pace.loadCpuMs)),
    });
    return { batched: middle(paces[0]!), single: middle(paces[1]!) };
  } finally {
    for (const { process: child } of services) child.kill();
  }
}

/** Starts a service, lets it load its model, and learn the pace of full calls. */
async function serve(name: ModelName, textsPerCall: number, queueMs: number): Promise<Running> {
  const words = [textsPerCall, queueMs].map(String);
  const { process: child, firstLine: url } = await startScript('apparatus/serve-service.ts', [
    ...words,
    name,
  ]);
  const warm = {
    kind: 'queries',
    clients: BUSY_CLIENTS,
    texts: 1,
    perSecond: Number.POSITIVE_INFINITY,
  } as const;
  await load(url, { ...warm, seconds: WARM_UP_SECONDS });
  return { process: child, url };
}

let lastNumber = 0;

/** Sends requests at a fixed rate, but never more at once than there are clients. */
async function load(url: string, { kind, clients, texts, perSecond, seconds }: Load): Promise<Answers> {
  await readUsage(url);
  // Connections are kept, as by clients that ask often; `fetch` takes four times the processor time.
  const agent = new Agent({ keepAlive: true });
  const counted = { statuses: new Map<number, number>(), latenciesMs: [] };
  const underway = new Set<Promise<void>>();
  const cpuAtStart = process.cpuUsage();
  const startedMs = performance.now();
  const endsMs = startedMs + seconds * 1000;
  for (let sent = 0; sent < perSecond * seconds && performance.now() < endsMs; sent += 1) {
    const waitMs = startedMs + (sent * 1000) / perSecond - performance.now();
    if (waitMs > 0) await new Promise(resolve => setTimeout(resolve, waitMs));
    if (underway.size >= clients) await Promise.race(underway);
    const asked = ask(url, agent, nextTexts(kind, texts), counted).finally(() => underway.delete(asked));
    underway.add(asked);
  }
  await Promise.all(underway);
  agent.destroy();
  const elapsedMs = performance.now() - startedMs;
  const { user, system } = process.cpuUsage(cpuAtStart);
  return { ...counted, elapsedMs, loadCpuMs: (user + system) / 1000, usage: await readUsage(url) };
}

function nextTexts(kind: TextKind, count: number): readonly string[] {
  return Array.from({ length: count }, () => {
    lastNumber += 1;
    return writeText(kind, lastNumber);
  });
}

async function readUsage(url: string): Promise<ServiceUsage> {
  return (await (await fetch(`${url}/usage`)).json()) as ServiceUsage;
}

async function ask(
  url: string,
  agent: Agent,
  texts: readonly string[],
  { statuses, latenciesMs }: Pick<Answers, 'statuses' | 'latenciesMs'>,
): Promise<void> {
  const startedMs = performance.now();
  const body = JSON.stringify({ model: 'small', texts, input_type: 'query' });
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  const status = await new Promise<number>((resolve, reject) => {
    const sent = request(`${url}/v1/embed`, { agent, method: 'POST', headers }, response => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
    });
    sent.on('error', reject).end(body);
  });
  statuses.set(status, (statuses.get(status) ?? 0) + 1);
  if (status === 200) latenciesMs.push(performance.now() - startedMs);
}

function describe({ statuses, latenciesMs, elapsedMs, usage }: Answers, texts: number): string {
  const counted = [...statuses].sort().map(([status, count]) => `${count} x ${status}`);
  const at = (share: number) => Math.round(percentile(latenciesMs, share));
  const p99 = usage.answeredP99Ms;
  return (
    `${((latenciesMs.length * texts * 1000) / elapsedMs).toFixed(1)} texts/s; ${counted.join(', ')}; bound of ` +
    `the queue ${LEAST_QUEUE_MS} ms; p99 in the service ${Math.round(p99)} ms ` +
    `(${(p99 / LEAST_QUEUE_MS).toFixed(1)}x the bound), as clients ` +
    `see it p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, p99 ${at(0.99)} ms; the service paused for ` +
    `${usage.pauseP99Ms.toFixed(0)} ms at p99, ${usage.longestPauseMs.toFixed(0)} ms at the longest`
  );
}
