import { getEventListeners } from 'node:events';
import { expect, it } from 'vitest';
import { createJsonProvider } from '../../../lib/adapters/providers/json-provider.ts';
import { FreshetError } from '../../../lib/core/errors.ts';
import { classifyProviderFailure } from '../../../lib/core/provider-failures.ts';
import type { KeySource } from '../../../lib/ports/provider.ts';
import { createVirtualClock } from '../../doubles/virtual-clock.ts';

function makeSource(cached: string, fresh: string) {
  const reads: boolean[] = [];
  const source: KeySource = async options => {
    reads.push(options?.fresh === true);
    return options?.fresh ? fresh : cached;
  };
  return { reads, source };
}

/** Embeds one text by a provider that reads its key from `source` and makes its requests by `call`. */
function embedOne(
  source: KeySource | undefined,
  call: (key: string, signal: AbortSignal) => Promise<object>,
  caller?: AbortSignal,
) {
  const limits = {
    maxTextsPerCall: 1,
    maxTokensPerCall: 1,
    maxBytesPerCall: 1,
    tokenization: 'server',
  } as const;
  const provider = createJsonProvider(
    { dimensions: 1 },
    {
      ...{ dialect: 'http', limits, key: source },
      composeBody: texts => ({ texts }),
      send: async ({ key, signal }) => ({ json: await call(key, signal), headers: new Headers() }),
      readReply: json => ({ items: [], tokens: undefined, model: String(json.model) }),
    },
    createVirtualClock(),
  );
  return provider.embed({ texts: ['a'], deadlineMs: 1000, signal: caller });
}

const acceptOnly = (key: string) => {
  const seen: string[] = [];
  const call = async (given: string) => {
    seen.push(given);
    if (given !== key) throw classifyProviderFailure({ status: 401 });
    return { model: 'answer' };
  };
  return { seen, call };
};

it('calls with an empty key where there is no source', async () => {
  const { call, seen } = acceptOnly('');

  expect(await embedOne(undefined, call)).toMatchObject({ model: 'answer' });
  expect(seen).toEqual(['']);
});

it('reads the key at every call', async () => {
  const { source, reads } = makeSource('one', 'two');
  const { call } = acceptOnly('one');

  await embedOne(source, call);
  await embedOne(source, call);

  expect(reads).toEqual([false, false]);
});

it('reads a refused key once more, past the cache, and calls once more', async () => {
  const { source, reads } = makeSource('old', 'rotated');
  const { call, seen } = acceptOnly('rotated');

  expect(await embedOne(source, call)).toMatchObject({ model: 'answer' });
  expect(reads).toEqual([false, true]);
  expect(seen).toEqual(['old', 'rotated']);
});

it('stops at the second refusal', async () => {
  const { source } = makeSource('old', 'older');
  const { call, seen } = acceptOnly('another');

  await expect(embedOne(source, call)).rejects.toMatchObject({
    failureClass: 'stop',
    code: 'unauthorized',
  });
  expect(seen).toEqual(['old', 'older']);
});

it('does not send a refused key twice', async () => {
  const { source } = makeSource('same', 'same');
  const { call, seen } = acceptOnly('another');

  await expect(embedOne(source, call)).rejects.toMatchObject({ code: 'unauthorized' });
  expect(seen).toEqual(['same']);
});

it('reads no fresh key for any other failure', async () => {
  const { source, reads } = makeSource('old', 'rotated');

  await expect(
    embedOne(source, async () => {
      throw classifyProviderFailure({ status: 403 });
    }),
  ).rejects.toMatchObject({ code: 'forbidden' });
  expect(reads).toEqual([false]);
});

it('passes on why a key could not be read, and nothing of an error that is not ours', async () => {
  const ours = new FreshetError('No such secret.', { failureClass: 'stop', code: 'secret_not_found' });
  const failing = (error: Error) =>
    embedOne(
      () => Promise.reject(error),
      async () => ({ model: 'answer' }),
    );

  await expect(failing(ours)).rejects.toBe(ours);
  await expect(failing(new Error('canary'))).rejects.toMatchObject({
    code: 'key_unreadable',
    message: expect.not.stringContaining('canary'),
  });
});

it('leaves nothing on the signal of an answered call, which would keep its vectors', async () => {
  const signals: AbortSignal[] = [];
  const answer = async (_: string, signal: AbortSignal) => {
    signals.push(signal);
    return { model: 'answer' };
  };

  await embedOne(undefined, answer, new AbortController().signal);
  await embedOne(undefined, answer);

  expect(signals.map(signal => getEventListeners(signal, 'abort'))).toEqual([[], []]);
});

it('gives a call up where its caller already has', async () => {
  const call = () => new Promise<object>(() => {});

  await expect(embedOne(undefined, call, AbortSignal.abort())).rejects.toMatchObject({ code: 'aborted' });
});
