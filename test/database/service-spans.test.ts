import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { openTracer } from '../../lib/adapters/open-tracer.ts';
import { createSystemClock } from '../../lib/adapters/system.ts';
import type { Tracer } from '../../lib/ports/tracer.ts';
import { pathTo, recordSpans } from '../doubles/recorded-spans.ts';
import { createHeldProvider, openApi, settled } from '../serve/open-api.ts';
import { type Documents, openDocuments } from './open-documents.ts';

let recorded: ReturnType<typeof recordSpans>;
let tracer: Tracer | undefined;
beforeAll(async () => {
  recorded = recordSpans();
  tracer = await openTracer(createSystemClock());
});
afterEach(() => recorded.clear());
afterAll(() => recorded.stop());

async function readSpans(): Promise<readonly ReadableSpan[]> {
  await tracer?.flush();
  return recorded.spans();
}
const traceOf = (span: ReadableSpan) => span.spanContext().traceId;
const named = (spans: readonly ReadableSpan[], name: string) => spans.filter(span => span.name === name);

describe('the spans of requests', () => {
  test('are one trace of a search, from the request over its text to the database, in the caller’s trace', async () => {
    const documents: Documents = await openDocuments({}, tracer);
    const a = await documents.as('a', 'write search embed');
    await a.embed('1', 'a harbour with boats');
    recorded.clear();
    const caller = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

    const answer = await a.search('canary boats in a harbour', {}, { traceparent: caller });
    await a.search('canary boats', { source: 'canary-source' });

    const spans = await readSpans();
    expect(answer.status).toBe(200);
    const [find] = named(spans, 'find nearest documents');
    const [call] = spans.filter(({ name }) => name.startsWith('embeddings '));
    expect(pathTo(spans, find!)).toEqual(['POST /v1/search', 'search', 'find nearest documents']);
    expect(pathTo(spans, call!).slice(0, 3)).toEqual(['POST /v1/search', 'search', 'embed static']);
    expect([find, call].map(span => traceOf(span!))).toEqual(
      Array(2).fill('0af7651916cd43dd8448eb211c80319c'),
    );
    const [found] = named(spans, 'search');
    expect(found?.attributes).toMatchObject({
      ...{ 'freshet.source': 'documents', 'freshet.search.mode': 'semantic', 'freshet.search.limit': 10 },
      ...{ 'freshet.search.exact': true, 'freshet.search.filtered': false },
    });
    const requests = named(spans, 'POST /v1/search');
    expect(requests.map(({ attributes }) => attributes['http.response.status_code'])).toEqual([200, 404]);
    const said = spans.map(({ name, attributes, events, status, links }) => [
      name,
      attributes,
      events,
      status,
      links,
    ]);
    expect(JSON.stringify(said)).not.toMatch(/canary|boats|harbour|tenant|Bearer/);
  });

  test('share one call that belongs to the first request and is linked to the others', async () => {
    const { provider, release } = createHeldProvider();
    const { post } = openApi({ provider, ...(tracer && { tracer }) });
    const first = post('/v1/embed', { model: 'small', texts: ['a'] });
    await settled();
    const others = ['b', 'c', 'b'].map(text => post('/v1/embed', { model: 'small', texts: [text] }));
    await settled();
    await release();
    await release();
    await Promise.all([first, ...others]);

    const spans = await readSpans();
    const calls = spans.filter(({ name }) => name.startsWith('embeddings '));
    const requests = named(spans, 'embed small');
    expect(calls).toHaveLength(2);
    expect(requests).toHaveLength(4);
    expect(new Set(requests.map(traceOf)).size).toBe(4);
    const shared = calls.find(({ attributes }) => attributes['freshet.texts'] === 2);
    expect(pathTo(spans, shared!).slice(0, 2)).toEqual(['POST /v1/embed', 'embed small']);
    const linked = new Set(shared?.links.map(({ context }) => context.traceId));
    expect(linked.size).toBe(2);
    const [alone] = requests.filter(span =>
      calls.some(call => traceOf(call) === traceOf(span) && call !== shared),
    );
    const joined = [traceOf(shared!), ...linked, traceOf(alone!)];
    expect(new Set(joined)).toEqual(new Set(requests.map(traceOf)));
  });

  test('fail with a code of ours where the provider does, and only where the service is at fault', async () => {
    const { provider } = createHeldProvider();
    provider.script = () => {
      throw new Error('canary of the provider');
    };
    const { post } = openApi({ provider, ...(tracer && { tracer }) });

    await post('/v1/embed', { model: 'small', texts: ['a'] });
    await post('/v1/embed', { model: 'smal', texts: ['a'] });
    await post('/v1/canary', {});

    const spans = await readSpans();
    const requests = spans.filter(({ name }) => /^(POST|_OTHER) /.test(name));
    expect(requests.map(({ name, attributes }) => [name, attributes['error.type']])).toEqual([
      ['POST /v1/embed', 'provider_failed'],
      ['POST /v1/embed', undefined],
      ['_OTHER other', undefined],
    ]);
    expect(
      JSON.stringify(spans.map(({ attributes, events, status }) => [attributes, events, status])),
    ).not.toMatch(/canary/);
  });
});
