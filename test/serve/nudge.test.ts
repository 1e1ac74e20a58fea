import { afterEach, describe, expect, test } from 'vitest';
import { nudge } from '../../lib/adapters/api/client.ts';
import { listen } from '../../lib/adapters/api/listen.ts';
import { openApi } from './open-api.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

function open(settings: Parameters<typeof openApi>[0] = {}) {
  let nudges = 0;
  const count = () => {
    nudges += 1;
  };
  const api = openApi({ nudge: { sources: ['articles'], nudge: count }, ...settings });
  return { ...api, count: () => nudges };
}

async function serve(settings: Parameters<typeof openApi>[0] = {}) {
  const api = open(settings);
  const listener = await listen(api.app.fetch, { host: '127.0.0.1', port: 0, maxConnections: 100 });
  closing.push(() => listener.close(0));
  return { url: listener.url, ...api };
}

describe('POST /v1/nudge', () => {
  test.each([[{}], [{ source: 'articles' }], [{ source: 'articles', ids: ['1', '2'] }]])(
    'takes %j and answers at once',
    async body => {
      const { post, count } = open();

      const { status, json } = await post('/v1/nudge', body);

      expect({ status, json }).toEqual({ status: 200, json: { accepted: true } });
      expect(count()).toBe(1);
    },
  );

  test.each([
    [{ source: 'articels' }, 'source', /did you mean .?articles/i],
    [{ sourse: 'articles' }, 'sourse', /did you mean source\?/],
    [{ ids: [1] }, 'ids[0]', /expected a text/],
  ])('refuses %j with the field at fault', async (body, param, told) => {
    const { post, count } = open();

    const { status, json } = await post('/v1/nudge', body);

    expect(status).toBe(400);
    expect(json.error.param).toBe(param);
    expect(json.error.message).toMatch(told);
    expect(count()).toBe(0);
  });

  test('asks for a token, and refuses a page of another site', async () => {
    const guarded = open({ verifyToken: async () => ({ fault: 'missing' }) });
    const { post, count } = open();

    const answers = [
      await guarded.post('/v1/nudge', {}),
      await post('/v1/nudge', {}, { headers: { 'sec-fetch-site': 'cross-site' } }),
    ];

    expect(answers.map(({ status }) => status)).toEqual([401, 403]);
    expect([guarded.count(), count()]).toEqual([0, 0]);
  });
});

describe('nudge of freshet/client', () => {
  test('is taken', async () => {
    const { url, count } = await serve();

    expect(await nudge('articles', { url: `${url}/`, ids: Array(2000).fill('1') })).toBe(true);
    expect(count()).toBe(1);
  });

  test('never rejects: it says that it was not taken', async () => {
    const { url } = await serve();

    expect(await nudge('articels', { url })).toBe(false);
    expect(await nudge('articles', { url: 'http://127.0.0.1:1' })).toBe(false);
  });
});
