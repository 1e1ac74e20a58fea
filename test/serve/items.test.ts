import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import {
  embedItem,
  embedItems,
  eraseItems,
  type ItemError,
  readErasure,
  readJob,
  search,
} from '../../lib/adapters/api/client.ts';
import { makeFolder, readObject, runCli, startCli } from '../bin/run-cli.ts';

const { directory, remove } = makeFolder();
const children: ReturnType<typeof startCli>[] = [];
afterAll(async () => {
  for (const { child } of children) child.kill('SIGTERM');
  await Promise.all(children.map(({ ended }) => ended));
  remove();
});

const environment = { SERVICE_SECRET: 'a shared secret of at least thirty-two bytes' };
const CANARY = 'canary-5c1f';

writeFileSync(
  join(directory, 'freshet.config.ts'),
  `export default ${JSON.stringify({
    sources: [],
    documents: { model: 'static', filters: [{ key: 'metadata.language', type: 'text' }] },
    service: { tokens: { issuer: 'https://me', audience: 'items', secret: { env: 'SERVICE_SECRET' } } },
  })};\n`,
);

async function tokenOf(tenant: string): Promise<string> {
  const result = await runCli(directory, ['token', '--tenant', tenant, '--json'], environment);
  return readObject(result).token as string;
}

/** Asks again while a run has the embedded database. */
async function patiently<Value>(ask: () => Promise<Value>): Promise<Value> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if ((error as ItemError).status !== 503) throw error;
      await new Promise(resolve => setTimeout(resolve, 200));
    }
  }
}

test('texts that a client gives to freshet serve are embedded by freshet run, found, replaced and erased', {
  timeout: 240_000,
}, async () => {
  const run = () => runCli(directory, ['run', '--json'], environment);
  expect(readObject(await run())).toMatchObject({ spaces: [{ source: 'documents', eligible: 0 }] });
  const serving = startCli(directory, ['serve', '--port', '0', '--json'], environment);
  children.push(serving);
  const url = await new Promise<string>(resolve =>
    serving.child.stdout!.once('data', text => resolve((JSON.parse(String(text)) as { url: string }).url)),
  );
  const options = { url, token: await tokenOf('a') };
  const text = `A tower whose light guides ships, ${CANARY}.`;
  const item = { asset_id: 'book', segment_id: '1', text, metadata: { language: 'en' } };

  const job = await patiently(() => embedItem(item, options));
  expect(await patiently(() => embedItem(item, options))).toEqual(job);
  const [other] = await patiently(() =>
    embedItems({ items: [{ asset_id: 'book', segment_id: '2', text: 'bread of flour' }] }, options),
  );
  expect((await run()).code).toBe(0);

  expect(await readJob(job.job_id, options)).toMatchObject({ status: 'succeeded', progress: 1 });
  expect(await readJob(other!.job_id, options)).toMatchObject({ segment_id: '2', status: 'succeeded' });
  const asked = { source: 'documents', query: text };
  const [hit] = (await search(asked, options)).hits;
  expect(hit).toMatchObject({ columns: { segment_id: '1', text } });
  expect(hit!.score).toBeGreaterThan(0.99);
  const similar = (await search({ ...asked, query: 'ships are led by the light of a tower' }, options))
    .hits[0];
  expect(similar!.columns.segment_id).toBe('1');
  expect(similar!.score).toBeGreaterThan(0.5);
  expect(similar!.score).toBeLessThan(0.99);

  const foreign = { url, token: await tokenOf('b') };
  await expect(readJob(job.job_id, foreign)).rejects.toMatchObject({ status: 404, code: 'not_found' });
  await expect(eraseItems({ assetId: 'book' }, foreign)).rejects.toMatchObject({ status: 404 });
  expect((await search(asked, foreign)).hits).toEqual([]);

  await embedItem({ ...item, text: 'bread is baked' }, options);
  expect((await run()).code).toBe(0);
  expect(await readJob(job.job_id, options)).toMatchObject({ status: 'superseded' });
  expect((await search(asked, options)).hits[0]!.score).toBeLessThan(0.9);

  const receipt = await eraseItems({ assetId: 'book', segmentId: '1' }, options);
  expect(receipt).toMatchObject({ status: 'pending', vectors: 1, remains: [] });
  await new Promise(resolve => setTimeout(resolve, 1200));
  expect(await readErasure(receipt.receipt_id, options)).toMatchObject({ status: 'complete' });
  expect((await search(asked, options)).hits.map(({ columns }) => columns.segment_id)).toEqual(['2']);

  serving.child.kill('SIGTERM');
  const { output, errors } = await serving.ended;
  expect(output + errors).not.toContain(CANARY);
});
