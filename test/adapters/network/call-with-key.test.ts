import { expect, it } from 'vitest';
import { callWithKey } from '../../../lib/adapters/network/calls.ts';
import { FreshetError } from '../../../lib/core/errors.ts';
import { classifyProviderFailure } from '../../../lib/core/provider-failures.ts';
import type { KeySource } from '../../../lib/ports/provider.ts';

function makeSource(cached: string, fresh: string) {
  const reads: boolean[] = [];
  const source: KeySource = async options => {
    reads.push(options?.fresh === true);
    return options?.fresh ? fresh : cached;
  };
  return { reads, source };
}

const acceptOnly = (key: string) => {
  const seen: string[] = [];
  const call = async (given: string) => {
    seen.push(given);
    if (given !== key) throw classifyProviderFailure({ status: 401 });
    return 'answer';
  };
  return { seen, call };
};

it('calls with an empty key where there is no source', async () => {
  const { call, seen } = acceptOnly('');

  expect(await callWithKey(undefined, call)).toBe('answer');
  expect(seen).toEqual(['']);
});

it('reads the key at every call', async () => {
  const { source, reads } = makeSource('one', 'two');
  const { call } = acceptOnly('one');

  await callWithKey(source, call);
  await callWithKey(source, call);

  expect(reads).toEqual([false, false]);
});

it('reads a refused key once more, past the cache, and calls once more', async () => {
  const { source, reads } = makeSource('old', 'rotated');
  const { call, seen } = acceptOnly('rotated');

  expect(await callWithKey(source, call)).toBe('answer');
  expect(reads).toEqual([false, true]);
  expect(seen).toEqual(['old', 'rotated']);
});

it('stops at the second refusal', async () => {
  const { source } = makeSource('old', 'older');
  const { call, seen } = acceptOnly('another');

  await expect(callWithKey(source, call)).rejects.toMatchObject({
    failureClass: 'stop',
    code: 'unauthorized',
  });
  expect(seen).toEqual(['old', 'older']);
});

it('does not send a refused key twice', async () => {
  const { source } = makeSource('same', 'same');
  const { call, seen } = acceptOnly('another');

  await expect(callWithKey(source, call)).rejects.toMatchObject({ code: 'unauthorized' });
  expect(seen).toEqual(['same']);
});

it('reads no fresh key for any other failure', async () => {
  const { source, reads } = makeSource('old', 'rotated');

  await expect(
    callWithKey(source, async () => {
      throw classifyProviderFailure({ status: 403 });
    }),
  ).rejects.toMatchObject({ code: 'forbidden' });
  expect(reads).toEqual([false]);
});

it('passes on why a key could not be read, and nothing of an error that is not ours', async () => {
  const ours = new FreshetError('No such secret.', { failureClass: 'stop', code: 'secret_not_found' });
  const failing = (error: Error) =>
    callWithKey(
      () => Promise.reject(error),
      async () => 'answer',
    );

  await expect(failing(ours)).rejects.toBe(ours);
  await expect(failing(new Error('canary'))).rejects.toMatchObject({
    code: 'key_unreadable',
    message: expect.not.stringContaining('canary'),
  });
});
