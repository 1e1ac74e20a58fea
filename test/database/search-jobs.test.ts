import { expect, test } from 'vitest';
import { openDocuments } from './open-documents.ts';

test('a search as a job finds what its tenant has, and is nobody else’s over HTTP', async () => {
  const documents = await openDocuments();
  const [a, b] = [await documents.as('a'), await documents.as('b')];
  await a.embed('1', 'a harbour with boats');
  await b.embed('1', 'a harbour with ships');
  await documents.run();
  const asked = { source: 'documents', query: 'boats in a harbour', limit: 1000 };

  const job = await a.post('/v1/jobs/search', asked);
  const address = `/v1/jobs/${job.json.job_id}`;
  let found = await a.get(address);
  while (['pending', 'running'].includes(found.json.status)) {
    await new Promise(resolve => setTimeout(resolve, 20));
    found = await a.get(address);
  }
  const others = [
    await b.get(address),
    await (await documents.as(undefined)).get(address),
    await (await documents.as('a', 'write embed')).get(address),
    await (await documents.as('a', 'write')).get(address.replace('/search_', '/%73earch_')),
    await a.get('/v1/jobs/search/nobody'),
    await a.get('/v1/jobs/search_nobody'),
    await documents.ask(undefined, 'GET', address),
  ];
  const wrong = [
    await a.post('/v1/jobs/search', { ...asked, limit: 1001 }),
    await a.post('/v1/jobs/search', { ...asked, cursor: 'x' }),
  ];

  expect(job.status).toBe(202);
  expect(found.json).toMatchObject({
    status: 'succeeded',
    failure: null,
    result: { source: 'documents', exact: true },
  });
  expect(Date.parse(found.json.expires_at) - Date.parse(found.json.created_at)).toBe(24 * 3_600_000);
  expect(found.json.result.hits).toHaveLength(1);
  expect(found.text).not.toMatch(/boats in a harbour|ships/);
  expect(others.map(({ status }) => status)).toEqual([404, 404, 403, 403, 404, 404, 401]);
  expect(wrong.map(({ status }) => status)).toEqual([400, 400]);

  expect((await a.get(`/v1/jobs/search/${job.json.job_id}`)).json).toEqual(found.json);
  expect((await a.erase('/v1/vectors/book/1')).status).toBe(202);
  expect((await a.get(address)).status).toBe(404);
});

test('jobs of texts and of searches stand at one address, each for tokens of its scope', async () => {
  const documents = await openDocuments();
  const [a, b] = [await documents.as('a'), await documents.as('b')];
  const [writer, reader] = [await documents.as('a', 'write'), await documents.as('a', 'search')];
  const text = (await a.embed('1', 'a harbour with boats')).json.job_id;
  const search = (await a.post('/v1/jobs/search', { source: 'documents', query: 'boats' })).json.job_id;

  const read = async (by: typeof a) =>
    [await by.get(`/v1/jobs/${text}`), await by.get(`/v1/jobs/${search}`)].map(({ status }) => status);

  expect([await read(a), await read(b)]).toEqual([
    [200, 200],
    [404, 404],
  ]);
  expect([await read(writer), await read(reader)]).toEqual([
    [200, 403],
    [403, 200],
  ]);
  expect(search).toMatch(/^search_/);
  expect(await read(await documents.as('a', 'embed'))).toEqual([403, 403]);
});
