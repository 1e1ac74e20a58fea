import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { openTracer } from '../../lib/adapters/open-tracer.ts';
import { runUntilFresh } from '../../lib/local/run-until-fresh.ts';
import type { Tracer } from '../../lib/ports/tracer.ts';
import { pathTo, recordSpans, shorten } from '../doubles/recorded-spans.ts';
import { embedAll, failWith } from '../doubles/scripted-provider.ts';
import { createVirtualClock } from '../doubles/virtual-clock.ts';
import { putRow } from '../factories/logged-twin.ts';
import { makeSpace } from '../factories/space.ts';
import { makeWorld } from '../factories/world.ts';
import { driveFleet, toLocalRunPorts } from './run-world.ts';

const CANARY = 'canary-51aa';

let recorded: ReturnType<typeof recordSpans>;
let tracer: Tracer | undefined;
beforeAll(async () => {
  recorded = recordSpans();
  tracer = await openTracer(createVirtualClock());
});
afterEach(() => recorded.clear());
afterAll(() => recorded.stop());

/** A world whose three steps are traced, with so many rows that nobody embedded yet. */
function makeTracedWorld(rows: number, tracedSteps = ['detect', 'embed', 'write']) {
  const world = makeWorld();
  for (let index = 0; index < rows; index += 1)
    putRow(world.twin, makeSpace(), String(index).padStart(5, '0'), `${CANARY} ${index}`);
  const traced = (step: string) => (tracedSteps.includes(step) ? { tracer } : {});
  Object.assign(world.detectPorts, traced('detect'));
  Object.assign(world.embedPorts, traced('embed'));
  Object.assign(world.writePorts, traced('write'));
  return world;
}

async function readSpans(): Promise<readonly ReadableSpan[]> {
  await tracer?.flush();
  return recorded.spans();
}

const traceOf = (span: ReadableSpan) => span.spanContext().traceId;
const named = (spans: readonly ReadableSpan[], start: string) =>
  spans.filter(({ name }) => name.startsWith(`${start} `));

describe('the spans of a local run', () => {
  test('are one trace from the look that found a row to its write', async () => {
    await runUntilFresh(toLocalRunPorts(makeTracedWorld(1)));

    const spans = await readSpans();
    const [write] = named(spans, 'write');
    const [call] = named(spans, 'embeddings');
    expect(pathTo(spans, write!)).toEqual(['detect items', 'dispatch items', 'embed items', 'write items']);
    expect(pathTo(spans, call!).slice(0, 3)).toEqual(pathTo(spans, write!).slice(0, 3));
    expect(traceOf(call!)).toBe(traceOf(write!));
  });

  test('link the work on a message to the dispatch that sent it', async () => {
    await runUntilFresh(toLocalRunPorts(makeTracedWorld(250)));

    const spans = await readSpans();
    const dispatches = new Set(named(spans, 'dispatch').map(span => span.spanContext().spanId));
    const embeds = named(spans, 'embed');
    expect(embeds.length).toBeGreaterThan(1);
    expect(embeds.map(({ links }) => links.map(({ context }) => dispatches.has(context.spanId)))).toEqual(
      embeds.map(() => [true]),
    );
  });

  test('show each trace its write where one transaction writes the results of several', async () => {
    const world = makeTracedWorld(0);
    const write = world.writePorts.outcomes.writeResults.bind(world.writePorts.outcomes);
    let largest = 0;
    Object.assign(world.writePorts.outcomes, {
      writeResults: (...asked: Parameters<typeof write>) => {
        largest = Math.max(largest, asked[1].length);
        return write(...asked);
      },
    });
    for (let index = 0; index < 900; index += 1)
      putRow(world.twin, makeSpace(), String(index).padStart(5, '0'), `${CANARY} ${index}`);

    await driveFleet(world, 10);

    const spans = await readSpans();
    const writes = named(spans, 'write');
    const tracesOf = (start: string) => [...new Set(named(spans, start).map(traceOf))].sort();
    expect(largest).toBeGreaterThan(1);
    expect(tracesOf('write')).toEqual(tracesOf('embeddings'));
    expect(writes.map(span => pathTo(spans, span)[0])).toEqual(writes.map(() => 'detect items'));
  });

  test('describe a call by the conventions for GenAI, and measure it', async () => {
    await runUntilFresh(toLocalRunPorts(makeTracedWorld(3)));

    const spans = await readSpans();
    const { model } = makeSpace();
    const conventions = {
      'gen_ai.operation.name': 'embeddings',
      'gen_ai.provider.name': model.provider,
      'gen_ai.request.model': model.modelId,
    };
    expect(shorten(named(spans, 'embeddings')[0]!)).toEqual({
      name: `embeddings ${model.modelId}`,
      kind: 'CLIENT',
      attributes: {
        ...conventions,
        'gen_ai.embeddings.dimension.count': model.dimensions,
        ...{ 'gen_ai.usage.input_tokens': expect.any(Number), 'gen_ai.response.id': 'request' },
        ...{ 'freshet.model': model.alias, 'freshet.texts': 3 },
      },
    });
    const measured = recorded.metrics().get('gen_ai.client.embeddings.duration');
    expect(measured?.descriptor.unit).toBe('s');
    expect(measured?.dataPoints.map(({ attributes }) => attributes)).toContainEqual(conventions);
  });

  test('say of a failed call its code, and nothing else', async () => {
    const world = makeTracedWorld(1);
    world.provider.script = (request, call) =>
      call === 1 ? failWith('throttled', 'http_429', 1_000) : embedAll(request);

    await runUntilFresh(toLocalRunPorts(world));

    const [first, second] = named(await readSpans(), 'embeddings');
    expect(first?.attributes['error.type']).toBe('http_429');
    expect(first?.status).toEqual({ code: 2 });
    expect(first?.events).toEqual([]);
    expect(second?.status).toEqual({ code: 0 });
  });

  test('say of a failure that is none of ours no more than that there was one', async () => {
    const failing = tracer!.span({ name: 'work', kind: 'internal' }, () =>
      Promise.reject(new Error(`${CANARY} is what the row holds`)),
    );

    await expect(failing).rejects.toThrow(CANARY);
    const spans = await readSpans();
    expect(spans.map(({ attributes }) => attributes)).toEqual([{ 'error.type': '_OTHER' }]);
    expect(printAll(spans)).not.toContain(CANARY);
  });

  test('hold no text of a row', async () => {
    const world = makeTracedWorld(40);
    world.provider.script = (request, call) =>
      call === 1 ? failWith('item', 'http_400') : embedAll(request);

    await runUntilFresh(toLocalRunPorts(world));

    const spans = await readSpans();
    expect(world.provider.requests.flatMap(({ texts }) => texts).join()).toContain(CANARY);
    expect(named(spans, 'embeddings').length).toBeGreaterThan(1);
    expect(printAll(spans)).not.toContain(CANARY);
  });

  test('go on where a step before did not trace, and are none where nobody traces', async () => {
    await runUntilFresh(toLocalRunPorts(makeTracedWorld(1, ['write'])));
    const spans = await readSpans();
    expect(spans.map(({ name, parentSpanContext, links }) => [name, parentSpanContext, links])).toEqual([
      ['write items', undefined, []],
    ]);
    recorded.clear();

    const world = makeTracedWorld(1, []);
    await runUntilFresh(toLocalRunPorts(world));
    expect(await readSpans()).toEqual([]);
  });
});

describe('a span', () => {
  const parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const run = async (given: string, kind: 'consumer' | 'server' = 'consumer') => {
    await tracer!.span({ name: 'work', kind, parent: given, links: [given] }, async () => undefined);
    return (await readSpans()).at(-1)!;
  };

  test('takes a parent of another process, and tells its own to the next', async () => {
    const told = await tracer!.span({ name: 'work', kind: 'consumer', parent }, async () =>
      tracer!.current(),
    );
    const [span] = await readSpans();

    expect(span?.parentSpanContext).toMatchObject({ spanId: 'b7ad6b7169203331', isRemote: true });
    expect(told).toBe(`00-0af7651916cd43dd8448eb211c80319c-${span?.spanContext().spanId}-01`);
    expect(tracer!.current()).toBeUndefined();
  });

  test.each([
    ['no context', 'x'],
    ['an unknown version', parent.replace('00-', '01-')],
    ['an empty trace', `00-${'0'.repeat(32)}-b7ad6b7169203331-01`],
    ['an empty span', `00-0af7651916cd43dd8448eb211c80319c-${'0'.repeat(16)}-01`],
    ['more behind it', `${parent}-${CANARY}`],
  ])('begins a trace where what it is given is %s', async (_, given) => {
    const { parentSpanContext, links } = await run(given);

    expect({ parentSpanContext, links }).toEqual({ parentSpanContext: undefined, links: [] });
  });

  test('of a message links the span around it, as that of an invocation', async () => {
    const around = await tracer!.span({ name: 'invocation', kind: 'server' }, async () => {
      await tracer!.span({ name: 'work', kind: 'consumer', parent }, async () => undefined);
      return tracer!.current();
    });
    const [work] = await readSpans();

    expect(traceOf(work!)).toBe('0af7651916cd43dd8448eb211c80319c');
    expect(work?.links.map(({ context }) => context.spanId)).toEqual([around?.split('-')[2]]);
  });

  test('of a request stays in the trace that something else began for it', async () => {
    await tracer!.span({ name: 'http', kind: 'server' }, () => run(parent, 'server'));
    const [request, http] = await readSpans();

    expect(request?.parentSpanContext?.spanId).toBe(http?.spanContext().spanId);
  });
});

/** All that a span can say, as text. */
function printAll(spans: readonly ReadableSpan[]): string {
  return JSON.stringify(
    spans.map(({ name, attributes, events, links, status, resource }) => [
      ...[name, attributes, events, links, status, resource.attributes],
    ]),
  );
}
