import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Answer, type Documents, openDocuments } from '../database/open-documents.ts';

/** 1,500 took 45 s on two busy cores. */
const REQUESTS = 1000;
const FUZZ_MS = 300_000;

let documents: Documents;
beforeEach(async () => {
  documents = await openDocuments({ model: 'second', filters: [{ key: 'metadata.owner', type: 'text' }] });
});
afterEach(() => documents.close());

const TENANTS = ['a', 'b'] as const;
/** Assets that one tenant alone uses, and one of which both have items. */
const asset = fc.constantFrom('asset-a', 'asset-b', 'shared', "' OR true --", '%', 'none');
const segment = fc.constantFrom('1', '2', '3', '%', '["a"]');
const place = fc.nat(1000);
const request = fc.record({
  tenant: fc.constantFrom(...TENANTS),
  asked: fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('embed' as const),
        segment,
        isShared: fc.boolean(),
        text: place,
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('job' as const), place }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('receipt' as const), place }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('erase' as const), asset, segment: fc.option(segment) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('search' as const),
        like: fc.option(fc.record({ tenant: fc.constantFrom(...TENANTS), asset, segment })),
        owner: fc.option(fc.constantFrom(...TENANTS)),
      }),
    },
  ),
});

test('two tenants that ask for each other’s items, jobs, receipts and rows are told of their own alone', {
  timeout: FUZZ_MS,
}, async () => {
  const clients = { a: await documents.as('a'), b: await documents.as('b') };
  const jobs: { readonly tenant: string; readonly id: string }[] = [];
  const receipts: { readonly tenant: string; readonly id: string }[] = [];
  /** What each tenant has, by asset and segment. */
  const kept = { a: new Set<string>(), b: new Set<string>() };
  const seed = Date.now() % 1_000_000;
  const requests = fc.sample(request, { seed, numRuns: REQUESTS });
  let hits = 0;
  let refused = 0;

  for (const [number, { tenant, asked }] of requests.entries()) {
    const other = tenant === 'a' ? 'b' : 'a';
    const client = clients[tenant];
    const where = `seed ${seed}, request ${number}`;
    const own = kept[tenant];
    let answer: Answer;
    if (asked.kind === 'embed') {
      const assetId = asked.isShared ? 'shared' : `asset-${tenant}`;
      const body = { asset_id: assetId, segment_id: asked.segment, text: `text ${asked.text % 7}` };
      answer = await client.post('/v1/vectors/embed', { ...body, metadata: { owner: `owner-${tenant}` } });
      expect(answer.status, where).toBe(202);
      jobs.push({ tenant, id: answer.json.job_id });
      own.add(JSON.stringify([assetId, asked.segment]));
    } else if (asked.kind === 'job' || asked.kind === 'receipt') {
      const known = asked.kind === 'job' ? jobs : receipts;
      const of = known[asked.place % Math.max(1, known.length)] ?? { tenant: other, id: 'none' };
      answer = await client.get(`/v1/${asked.kind}s/${of.id}`);
      const isOwn = known.some(each => each.id === of.id && each.tenant === tenant);
      if (!isOwn) expect(answer.status, where).toBe(404);
      if (asked.kind === 'receipt' && isOwn) expect(answer.status, where).toBe(200);
      if (!isOwn) refused += 1;
    } else if (asked.kind === 'erase') {
      const steps = [asked.asset, ...(asked.segment === null ? [] : [asked.segment])].map(encodeURIComponent);
      answer = await client.erase(`/v1/vectors/${steps.join('/')}`);
      const isErased = (key: string) => {
        const [assetId, segmentId] = JSON.parse(key) as [string, string];
        return assetId === asked.asset && (asked.segment === null || segmentId === asked.segment);
      };
      const gone = [...own].filter(isErased);
      if (gone.length > 0) expect(answer.status, where).toBe(202);
      if (answer.status === 202) receipts.push({ tenant, id: answer.json.receipt_id });
      for (const key of gone) own.delete(key);
    } else {
      const { like, owner } = asked;
      const filter =
        owner === null ? {} : { filter: { type: 'eq', key: 'metadata.owner', value: `owner-${owner}` } };
      const near =
        like === null
          ? { query: 'text 1' }
          : { like: JSON.stringify([like.tenant, like.asset, like.segment]) };
      answer = await client.post('/v1/search', { source: 'documents', limit: 100, ...near, ...filter });
      if (like?.tenant === other) expect(answer.status, where).toBe(404);
      hits += answer.json.hits?.length ?? 0;
    }
    expect(answer.text, where).not.toContain(`owner-${other}`);
    expect(answer.text, where).not.toContain(`asset-${other}`);
    if (number % 300 === 150) await documents.run();
  }

  for (const tenant of TENANTS) {
    await documents.run();
    const { hits: found } = (await clients[tenant].search('text 1', { limit: 100 })).json;
    const ids = found.map(({ id }: { id: string }) => JSON.stringify((JSON.parse(id) as string[]).slice(1)));
    expect(ids.toSorted(), `seed ${seed}`).toEqual([...kept[tenant]].toSorted());
  }
  expect(hits).toBeGreaterThan(100);
  expect(refused).toBeGreaterThan(100);
});
