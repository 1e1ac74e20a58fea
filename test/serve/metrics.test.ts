import { describe, expect, test } from 'vitest';
import { describeApi } from '../../lib/adapters/api/describe-api.ts';
import { ITEM_ROUTES } from '../../lib/core/service-routes.ts';
import { createScriptedProvider, failWith } from '../doubles/scripted-provider.ts';
import { createVirtualClock } from '../doubles/virtual-clock.ts';
import { createHeldProvider, openApi, settled } from './open-api.ts';

const model = 'small';

describe('/metrics', () => {
  test('has the numbers of requests, calls, batches and the queue', async () => {
    const { provider, release } = createHeldProvider();
    const { post, send } = openApi({ provider });
    const first = post('/v1/embed', { model, texts: ['a', 'b'] });
    await settled();
    const second = post('/v1/embed', { model, texts: ['c'] });
    await settled();
    const busy = (await send('/metrics')).text;
    await release();
    await release();
    await Promise.all([first, second, post('/v1/embed', { model, texts: [] })]);

    const { text, headers } = await send('/metrics');

    expect(headers.get('content-type')).toContain('text/plain');
    expect(busy).toContain('te_queue_size{model="small"} 1');
    for (const line of [
      'te_request_count{route="/v1/embed",status="200"} 2',
      'te_request_count{route="/v1/embed",status="400"} 1',
      'embed_fail_total{code="invalid_request"} 1',
      'embed_latency_ms_count{route="/v1/embed"} 2',
      'embed_batch_size_sum{model="small"} 3',
      'embed_batch_size_count{model="small"} 2',
      'embed_provider_calls_total{model="small",outcome="ok"} 2',
      'te_queue_size{model="small"} 0',
      'te_queue_tokens{model="small"} 0',
    ])
      expect(text).toContain(line);
  });

  test('has how far the rows are embedded', async () => {
    const counts = {
      eligible: 10,
      fresh: 4,
      stale: 3,
      inFlight: 1,
      failed: 2,
      excluded: 0,
      coveragePercent: 40,
      lastUpdate: null,
    };
    const { send } = openApi({ progress: [{ source: 'articles', model, ...counts }] });

    const { text } = await send('/metrics');

    const labels = '{source="articles",model="small"}';
    for (const [name, value] of Object.entries({
      embedding_progress_percent: 40,
      embedding_total_items: 10,
      embedding_pending_items: 4,
      embedding_errors_total: 2,
    }))
      expect(text).toContain(`${name}${labels} ${value}`);
  });

  test('has limits, use, queues and batches of the models, and no limit that is not known', async () => {
    const flow = {
      ...{ model, limits: { requestsPerMinute: null, tokensPerMinute: 6_000 }, share: 0.7 },
      ...{ used: { requests: 4, tokens: 1_500 }, throttledAt: '2026-01-01', waitSeconds: 12 },
      ...{ isEditFirst: false, calls: 2, callsAtOnce: 8, batches: null },
      queues: [{ lane: 'bulk', waiting: 40, announced: 8, batched: 500, oldestSeconds: 60 } as const],
    };
    const { send } = openApi({ flows: [flow] });

    const { text } = await send('/metrics');

    for (const line of [
      'embedding_limit_per_minute{model="small",unit="tokens"} 6000',
      'embedding_used_last_minute{model="small",unit="tokens"} 1500',
      'embedding_limit_share{model="small"} 0.7',
      'embedding_provider_wait_seconds{model="small"} 12',
      'embedding_calls_in_flight{model="small"} 2',
      'embedding_queue_rows{model="small",lane="bulk",state="waiting"} 40',
      'embedding_queue_rows{model="small",lane="fresh",state="waiting"} 0',
      'embedding_queue_oldest_seconds{model="small",lane="bulk"} 60',
      'embedding_batches_open{model="small"} 0',
    ])
      expect(text).toContain(line);
    expect(text).not.toContain('embedding_limit_per_minute{model="small",unit="requests"}');
  });

  test('counts addresses that nobody knows under one label', async () => {
    const { send } = openApi();

    for (const path of ['/a', '/b', '/v1/../c']) await send(path);

    expect((await send('/metrics')).text).toContain('te_request_count{route="other",status="404"} 3');
  });
});

describe('a text', () => {
  const canary = 'canary-7d1f';

  test('stands in no log, number, document or refusal', async () => {
    const provider = createScriptedProvider();
    const classes = ['stop', 'transient', 'item', 'too-large', 'throttled', 'unknown'] as const;
    const { script } = provider;
    provider.script = (request, call) => {
      const failureClass = classes[call % (classes.length + 2)];
      if (failureClass !== undefined) failWith(failureClass, `code_${call}`);
      if (call % (classes.length + 2) === classes.length) throw new Error(request.texts.join());
      return script(request, call);
    };
    const { post, send, lines } = openApi({ provider, clock: createVirtualClock() });

    const bodies = [
      { model, texts: [canary, canary.repeat(20_000)] },
      { model, texts: canary },
      { model: canary, texts: ['a'] },
      { model, texts: [canary], vector_text_hash: [canary] },
      { model, texts: [canary], normalize: canary },
      { model, texts: [canary], input_type: canary },
      canary,
      ...Array.from({ length: 20 }, (_, position) => ({ model, texts: [`${canary} ${position}`] })),
    ];
    const answers = [];
    for (const body of bodies) answers.push(await post('/v1/embed', body));

    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 400, 422, 429, 502]));
    const refusals = answers.filter(({ status }) => status !== 200).map(({ text }) => text);
    const written = [
      JSON.stringify(lines),
      (await send('/metrics')).text,
      (await send('/openapi.json')).text,
    ];
    for (const text of [...refusals, ...written]) expect(text).not.toContain(canary);
    expect(lines.length).toBeGreaterThan(0);
  });
});

describe('/openapi.json', () => {
  test('describes each address, and tokens only where they are asked for', async () => {
    const { send } = openApi({ nudge: { sources: [], nudge: () => undefined } });

    const { json } = await send('/openapi.json');

    expect(Object.keys(json.paths)).toEqual([
      ...['/v1/embed', '/v1/embeddings', '/v1/search', '/v1/vectors/search', '/v1/models', '/v1/nudge'],
      ...['/health', '/ready', '/metrics', '/openapi.json'],
    ]);
    const { schema } = json.paths['/v1/embed'].post.requestBody.content['application/json'];
    for (const operation of Object.values<
      Record<string, { responses: Record<string, { description?: string }> }>
    >(json.paths))
      for (const { responses } of Object.values(operation))
        for (const answer of Object.values(responses)) expect(answer.description).toMatch(/./);
    const items = describeApi({ routes: ITEM_ROUTES, tokens: 'for-v1', aliases: ['small'] }) as typeof json;
    expect(Object.keys(items.paths).toSorted()).toEqual(Object.keys(ITEM_ROUTES).toSorted());
    const { parameters, responses } = items.paths['/v1/vectors/{asset_id}/{segment_id}'].delete;
    expect(parameters.map(({ name }: { name: string }) => name)).toEqual(['asset_id', 'segment_id']);
    expect(Object.keys(responses)).toContain('202');
    expect(schema.required).toEqual(['model', 'texts']);
    expect(schema.properties.model.enum).toEqual(['small']);
    expect(schema.properties.input_type.enum).toEqual(['query', 'document']);
    expect(json.paths['/v1/embed'].post.responses['401']).toBeUndefined();
    expect(JSON.stringify(json)).not.toContain('bearer');
    const guarded = (tokens: 'for-v1' | 'everywhere') =>
      JSON.stringify(describeApi({ routes: { '/health': 'GET' }, tokens, aliases: ['small'] }));
    expect(guarded('for-v1')).toContain('"scheme":"bearer"');
    expect(guarded('for-v1')).not.toContain('"security"');
    expect(guarded('everywhere')).toContain('"security":[{"bearer":[]}]');
  });
});
