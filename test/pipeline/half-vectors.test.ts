import { expect, test } from 'vitest';
import { parseAnnounceMessage } from '../../lib/core/messages.ts';
import { decodeResult } from '../../lib/core/result-codec.ts';
import { fingerprintText } from '../../lib/core/text.ts';
import { embedRecord } from '../../lib/pipeline/embed/embed-record.ts';
import { embedAll } from '../doubles/scripted-provider.ts';
import { DISPATCH, leaseRow, putRow } from '../factories/logged-twin.ts';
import { makeSpace } from '../factories/space.ts';
import { makeWorld } from '../factories/world.ts';

const toBytes = (...values: number[]) => Buffer.from(new Float32Array(values).buffer);

test('a vector that is none of half floats is the outcome of its row alone, and its text is not bought again', async () => {
  const space = makeSpace({ source: { storage: 'halfvec' }, model: { normalized: false } });
  const world = makeWorld([space]);
  const texts = ['near', 'huge', 'far', 'tiny'];
  for (const text of texts) {
    putRow(world.twin, space, text, text);
    leaseRow(world.twin, space, text);
  }
  const vectors = [
    toBytes(1, 2, 3, 4),
    toBytes(1, 70_000, 0, 0),
    toBytes(65_504, 0, 0, 1),
    toBytes(1e-9, 0, 0, 0),
  ];
  world.provider.script = request => {
    const reply = embedAll(request);
    const items = request.texts.map((text, index) => ({ index, bytes: vectors[texts.indexOf(text)]! }));
    return { ...reply, items };
  };

  const body = {
    v: 1,
    kind: 'dispatch',
    spaceId: space.spaceId,
    lane: 'fresh',
    dispatchId: DISPATCH,
    attempts: 0,
  };
  const record = {
    ...{ messageId: 'message', receiptHandle: 'message#1', receiveCount: 1 },
    body: JSON.stringify({ ...body, ids: texts }),
  };
  expect(await embedRecord(world.embedPorts, record, () => 600_000)).toBe('done');

  const [announced] = world.results.remainingBodies().map(parseAnnounceMessage);
  const result = decodeResult((await world.objects.get(announced!.key))!);
  expect(Object.fromEntries(result.outcomes.map(({ id, outcome }) => [id, outcome]))).toEqual({
    near: 'embedded',
    huge: 'refused:half_range',
    far: 'embedded',
    tiny: 'refused:half_range',
  });
  expect(result.storage).toBe('halfvec');
  expect(result.verdicts.map(({ contentHash, code }) => [contentHash, code]).sort()).toEqual(
    [fingerprintText('huge'), fingerprintText('tiny')].sort().map(hash => [hash, 'half_range']),
  );
  expect(world.provider.requests).toHaveLength(1);
});
