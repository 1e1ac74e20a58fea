import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { lockDirectory } from '../../lib/adapters/pglite/lock-directory.ts';
import { searchEmbedded, takeTurns } from '../../lib/wiring/served-search.ts';

const service = { models: [] } as unknown as Parameters<ReturnType<typeof searchEmbedded>>[0];
const never = new AbortController().signal;
const REQUEST = { source: 'notes', query: 'a harbour', limit: 5, mode: 'semantic' } as const;

it('refuses a source that the configuration lacks without opening the embedded database', async () => {
  const request = { config: undefined, databaseUrl: undefined, directory: '/nowhere', create: false };
  const { search } = searchEmbedded(request, ['notes', 'orders'], takeTurns(), async () => {
    throw new Error('Nobody has the database.');
  })(service);

  const answer = search({ ...REQUEST, source: 'note' }, { kind: 'operator' }, never);

  await expect(answer).rejects.toMatchObject({
    code: 'not_found',
    message: 'source: there is no such source; did you mean "notes"? (known: notes, orders)',
  });
});

it('asks the run that has the embedded database for a person, and refuses a client meanwhile', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'freshet-held-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const database = join(directory, 'database');
  mkdirSync(database, { recursive: true });
  writeFileSync(join(database, 'PG_VERSION'), '17');
  writeFileSync(
    join(directory, 'freshet.config.mjs'),
    `export default {
      sources: [{ name: 'notes', table: 'notes', text: { columns: ['title'] }, model: 'hash' }],
      models: { hash: { provider: 'hash', modelId: 'hash-v1', dimensions: 8, usdPerMillionTokens: 0 } },
      database: { embeddedDirectory: ${JSON.stringify(database)} },
    };`,
  );
  const unlock = await lockDirectory(database);
  const request = { config: undefined, databaseUrl: undefined, directory, create: false };
  const asked: unknown[] = [];
  const askHolder = (async (...question: unknown[]) => {
    asked.push(question);
    return { source: 'notes' };
  }) as Parameters<typeof searchEmbedded>[3];
  const { search } = searchEmbedded(request, ['notes'], takeTurns(), askHolder)(service);

  const person = await search(REQUEST, { kind: 'operator' }, never);
  const client = search(REQUEST, { kind: 'client' }, never);

  await expect(client).rejects.toMatchObject({ code: 'not_ready', retryAfterSeconds: 10 });
  expect(person).toEqual({ source: 'notes' });
  expect(asked).toEqual([['search', REQUEST]]);
  await unlock();
});
