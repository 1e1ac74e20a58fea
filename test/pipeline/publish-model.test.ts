import { expect, test } from 'vitest';
import { createDigester } from '../../lib/core/model-manifest.ts';
import { publishModel } from '../../lib/pipeline/publish-model.ts';
import type { FolderFile, ModelFileStore } from '../../lib/ports/provider.ts';

const makeFile = (path: string, text: string): FolderFile => {
  const digester = createDigester();
  digester.update(Buffer.from(text));
  return {
    path,
    ...digester.finish(),
    async *open() {
      yield Buffer.from(text);
    },
  };
};

function openBucket(spoil: (body: Buffer) => Buffer = body => body) {
  const objects = new Map<string, Buffer>();
  const bucket: ModelFileStore = {
    name: 'weights',
    head: async key => {
      const body = objects.get(key);
      if (body === undefined) return undefined;
      const digester = createDigester();
      digester.update(body);
      return digester.finish();
    },
    put: async (key, bytes, open, { onSent }) => {
      const pieces: Buffer[] = [];
      for await (const piece of open()) pieces.push(piece);
      objects.set(key, spoil(Buffer.concat(pieces)));
      onSent(bytes);
    },
  };
  return { bucket, objects };
}

const options = { apply: true, signal: new AbortController().signal, onSent: () => {} };
const files = [makeFile('config.json', 'one'), makeFile('model.safetensors', 'three')];

test('what the bucket holds otherwise than it was read is an error, and nothing further is sent', async () => {
  const { bucket, objects } = openBucket(body => body.fill('x'));

  await expect(publishModel(bucket, 'models/1/', files, options)).rejects.toMatchObject({
    code: 'checksum_differs',
  });
  expect([...objects.keys()]).toEqual(['models/1/config.json']);
});

test('bytes sent are told across the files that are missing', async () => {
  const { bucket, objects } = openBucket();
  objects.set('models/1/config.json', Buffer.from('one'));
  const told: number[][] = [];

  const published = await publishModel(bucket, 'models/1/', files, {
    ...options,
    onSent: (...counts) => told.push(counts),
  });

  expect(told).toEqual([[5, 5]]);
  expect(published).toEqual({ files: 2, bytes: 8, missingFiles: 1, missingBytes: 5 });
});

test('a file of several parts has the digest of the digests of its parts', () => {
  const parted = createDigester(4);
  for (const piece of ['ab', 'cdefg', 'hi', 'j']) parted.update(Buffer.from(piece));
  const whole = createDigester(16);
  whole.update(Buffer.from('abcdefghij'));

  expect(parted.finish()).toEqual({
    ...whole.finish(),
    checksum: expect.stringMatching(/^[\w+/]{43}=-3$/),
  });
});
