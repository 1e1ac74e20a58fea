import { expect, it } from 'vitest';
import { searchEmbedded, takeTurns } from '../../lib/wiring/served-search.ts';

it('refuses a source that the configuration lacks without opening the embedded database', async () => {
  const request = { config: undefined, databaseUrl: undefined, directory: '/nowhere', create: false };
  const service = { models: [] } as unknown as Parameters<ReturnType<typeof searchEmbedded>>[0];
  const { search } = searchEmbedded(request, ['notes', 'orders'], takeTurns())(service);

  const answer = search(
    { source: 'note', query: 'a harbour', limit: 5, mode: 'semantic' },
    { kind: 'operator' },
    new AbortController().signal,
  );

  await expect(answer).rejects.toMatchObject({
    code: 'not_found',
    message: 'source: there is no such source; did you mean "notes"? (known: notes, orders)',
  });
});
