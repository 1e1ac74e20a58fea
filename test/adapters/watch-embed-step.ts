import { vi } from 'vitest';
import { createEmfMetrics } from '../../lib/adapters/emf-metrics.ts';
import { createJsonLogger } from '../../lib/adapters/system.ts';
import type { EmbedPorts } from '../../lib/pipeline/embed/embed-ports.ts';
import { embedRecord } from '../../lib/pipeline/embed/embed-record.ts';
import type { RunObserver } from '../../lib/ports/process.ts';
import type { EmbeddingProvider } from '../../lib/ports/provider.ts';
import type { Tracer } from '../../lib/ports/tracer.ts';
import { DISPATCH, leaseRow, putRow } from '../factories/logged-twin.ts';
import { makeWorld } from '../factories/world.ts';
import { spaceOf } from '../twin/twin-database.ts';
import { space } from './observe-behaviour.ts';

export interface Watched {
  /** Everything that the step wrote anywhere, and all that its errors hold, as text. */
  readonly written: string;
  /** Rows that still have a lease. */
  readonly rows: number;
}

/**
 * Embeds a message of these texts and listens wherever something can get out.
 *
 * That is: logs, metrics, the console, the terminal's observer, objects and their keys, queues,
 * tables, and the errors of the provider and of the step.
 */
export async function watchEmbedStep(
  texts: readonly string[],
  clock: EmbedPorts['clock'],
  provide: (ports: EmbedPorts) => EmbeddingProvider,
): Promise<Watched> {
  const written: unknown[] = [];
  const hush = listenToConsole(written);
  const world = makeWorld([space]);
  const table = spaceOf(world.twin, space);
  const ids = texts.map((_, index) => String(index + 1));
  for (const [index, id] of ids.entries()) {
    putRow(world.twin, space, id, texts[index] ?? '');
    leaseRow(world.twin, space, id);
  }
  const write = (line: string) => void written.push(line);
  const dimensions = { stage: 'test', component: 'embed', provider: 'scripted' };
  const ports: EmbedPorts = {
    ...world.embedPorts,
    clock,
    tracer: listenAsTracer(written),
    logger: createJsonLogger(write, world.clock, { component: 'embed', runId: 1 }),
    metrics: createEmfMetrics({ write, dimensions }),
    observer: listenAsObserver(written),
    providers: () => provider,
    objects: {
      ...world.objects,
      put: (key, body) => {
        written.push(key, body.toString('latin1'), body.toString('hex'));
        return world.objects.put(key, body);
      },
    },
  };
  const real = provide(ports);
  const provider: EmbeddingProvider = {
    limits: real.limits,
    embed: request =>
      real.embed(request).catch((error: unknown) => {
        written.push(dissect(error));
        throw error;
      }),
  };
  const message = { v: 1, kind: 'dispatch', spaceId: space.spaceId, lane: 'fresh', dispatchId: DISPATCH };
  const body = JSON.stringify({ ...message, attempts: 0, ids });
  const record = { messageId: 'message', receiptHandle: 'message#1', body, receiveCount: 1 };
  try {
    await embedRecord(ports, record, () => 600_000);
  } catch (error) {
    written.push(dissect(error));
  } finally {
    hush();
  }
  await ports.metrics.flush();
  const queues = [world.results, world.deadLetters, ...world.dispatch.map(({ queue }) => queue)];
  written.push(queues.map(queue => queue.remainingBodies()));
  written.push([...world.twin.pauses], [...world.twin.grants], [...table.leases]);
  written.push(world.calls.events);
  return { written: JSON.stringify(written), rows: table.leases.size };
}

/**
 * Lists all that an error holds, down to what caused it.
 *
 * That includes its stack and the properties that are not enumerable.
 */
export function dissect(error: unknown, depth = 0): unknown {
  if (Array.isArray(error)) return error.map(part => dissect(part, depth + 1));
  if (!(error instanceof Error) || depth > 8) return error;
  const own = Reflect.ownKeys(error).map(key => [String(key), dissect(Reflect.get(error, key), depth + 1)]);
  return { text: String(error), name: error.name, ...Object.fromEntries(own) };
}

function listenAsObserver(written: unknown[]): RunObserver {
  const listen =
    (name: string) =>
    (...told: unknown[]) =>
      void written.push(name, told);
  return {
    called: listen('called'),
    written: listen('written'),
    rowFailed: listen('rowFailed'),
    postponed: listen('postponed'),
    paused: listen('paused'),
    callsLimited: listen('callsLimited'),
    recordFailed: listen('recordFailed'),
  };
}

/** Listens to all that a tracer is told; an error is no part of it but by its code. */
function listenAsTracer(written: unknown[]): Tracer {
  const listen =
    (name: string) =>
    (...told: unknown[]) =>
      void written.push(name, told);
  return {
    span: (start, work) => {
      written.push(start);
      return work({ note: listen('noted'), fail: listen('failed') });
    },
    current: () => undefined,
    flush: async () => undefined,
  };
}

/** Listens to the console and both output streams; the returned function stops it. */
function listenToConsole(written: unknown[]): () => void {
  const take = (...told: unknown[]) => {
    written.push(told.map(part => (typeof part === 'string' ? part : dissect(part))));
    return true;
  };
  const spies = [
    ...(['debug', 'info', 'log', 'warn', 'error', 'trace'] as const).map(name =>
      vi.spyOn(console, name).mockImplementation(take),
    ),
    vi.spyOn(process.stdout, 'write').mockImplementation(take),
    vi.spyOn(process.stderr, 'write').mockImplementation(take),
  ];
  return () => {
    for (const spy of spies) spy.mockRestore();
  };
}
