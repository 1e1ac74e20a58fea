import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeModelFolder, makeSafetensors } from '../factories/model-folder.ts';
import { LOCAL_CREDENTIALS, startFauxqs } from '../servers/start-fauxqs.ts';
import { makeFolder, readObject, runCli } from './run-cli.ts';

const { directory, remove } = makeFolder();
/** Over 8 MiB: it is sent in parts. */
const LARGE = makeSafetensors(17 * 1024 * 1024);
let fauxqs: Awaited<ReturnType<typeof startFauxqs>>;
let client: S3Client;

beforeAll(async () => {
  fauxqs = await startFauxqs();
  fauxqs.server.createBucket('weights');
  const { region, endpoint = '' } = fauxqs.access;
  client = new S3Client({ region, endpoint, credentials: LOCAL_CREDENTIALS, forcePathStyle: true });
});
afterAll(async () => {
  client.destroy();
  await fauxqs.server.stop();
  remove();
});

const publish = (folder: string, ...words: string[]) =>
  runCli(
    directory,
    ['models', 'publish', '--alias', 'e5', '--from', folder, '--bucket', 'weights', ...words],
    {
      AWS_ACCESS_KEY_ID: 'local',
      AWS_SECRET_ACCESS_KEY: 'local',
      AWS_REGION: 'us-east-1',
      AWS_ENDPOINT_URL_S3: fauxqs.access.endpoint ?? '',
    },
  );

async function keysUnder(prefix: string): Promise<string[]> {
  const { Contents = [] } = await client.send(
    new ListObjectsV2Command({ Bucket: 'weights', Prefix: prefix }),
  );
  return Contents.map(({ Key = '' }) => Key.slice(prefix.length)).sort();
}

async function readKey(key: string): Promise<Buffer> {
  const { Body } = await client.send(new GetObjectCommand({ Bucket: 'weights', Key: key }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
}

describe('models publish', () => {
  const folder = makeModelFolder(join(directory, 'model'), { 'model.safetensors': LARGE });

  test('says what it would do, and sends nothing', async () => {
    const { code, output } = await publish(folder);

    expect(code).toBe(0);
    expect(output).toMatch(/^5 files, 17\.8 MB, belong to s3:\/\/weights\/models\/[0-9a-f]{64}\/$/m);
    expect(output).toContain('5 of them, 17.8 MB, would be sent. Add --apply to send them.');
    expect(await keysUnder('')).toEqual([]);
  });

  test('sends the files under the digest of their manifest, and names the lines of the configuration', async () => {
    const result = await publish(folder, '--apply', '--json');
    const told = readObject(result);
    const { sha256, prefix } = told as { sha256: string; prefix: string };

    expect(result.code, result.errors).toBe(0);
    expect(told).toMatchObject({ applied: true, files: 5, missingFiles: 5, prefix: `models/${sha256}/` });
    expect(await keysUnder(prefix)).toEqual([
      '1_Pooling/config.json',
      'config.json',
      'manifest.json',
      'model.safetensors',
      'tokenizer.json',
    ]);
    const manifest = await readKey(`${prefix}manifest.json`);
    expect(createHash('sha256').update(manifest).digest('hex')).toBe(sha256);
    const { files } = JSON.parse(manifest.toString()) as {
      files: { path: string; sha256: string; bytes: number }[];
    };
    expect(files.map(({ path }) => path)).toEqual([
      '1_Pooling/config.json',
      'config.json',
      'model.safetensors',
      'tokenizer.json',
    ]);
    for (const { path, sha256: digest, bytes } of files) {
      const body = await readKey(prefix + path);
      expect(body.length).toBe(bytes);
      expect(createHash('sha256').update(body).digest('hex')).toBe(digest);
    }
    expect(told.configuration).toEqual([
      `models.e5: { provider: 'sagemaker', revision: '${sha256}', endpointName: 'freshet-e5', inferenceComponentName: 'freshet-e5', … }`,
      `aws.stages.<stage>.gpu: { model: 'e5', modelBucket: 'weights', modelPrefix: '${prefix}' }`,
    ]);
    expect(result.errors).toMatch(/MB · .+\/s · ETA/);
  });

  test('sends nothing twice, and once more what is there with other bytes', async () => {
    const { prefix } = readObject(await publish(folder, '--json')) as { prefix: string };
    await client.send(
      new PutObjectCommand({ Bucket: 'weights', Key: `${prefix}config.json`, Body: '{"model_type":"best"}' }),
    );

    const repaired = readObject(await publish(folder, '--apply', '--json'));
    const again = await publish(folder, '--apply');

    expect(repaired).toMatchObject({ missingFiles: 1, missingBytes: 21 });
    expect((await readKey(`${prefix}config.json`)).toString()).toBe('{"model_type":"bert"}');
    expect(again.output).toContain('All of them are there, with the right checksums.');
  });

  test('another file is another model', async () => {
    const other = makeModelFolder(join(directory, 'other'), { 'vocab.txt': 'word' });
    const one = readObject(await publish(other, '--json')) as { prefix: string };
    rmSync(join(other, 'vocab.txt'));
    const two = readObject(await publish(other, '--json', '--prefix', 'team/models')) as { prefix: string };

    expect(two.prefix).toMatch(/^team\/models\/[0-9a-f]{64}\/$/);
    expect(two.prefix.slice(-65)).not.toBe(one.prefix.slice(-65));
  });
});

describe('a folder that the endpoint could not serve is refused', () => {
  const whole = makeSafetensors(64);

  test.each([
    ['no-tokenizer', { 'tokenizer.json': undefined }, 'tokenizer.json is missing at the top of the folder.'],
    ['no-config', { 'config.json': undefined }, 'config.json is missing at the top of the folder.'],
    [
      'pickled',
      { 'model.safetensors': undefined, 'pytorch_model.bin': 'x' },
      'No weights as safetensors are at the top of the folder',
    ],
    [
      'pointer',
      { 'model.safetensors': 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 470641600\n' },
      'model.safetensors holds no safetensors; a pointer of Git LFS looks so',
    ],
    [
      'cut',
      { 'model.safetensors': whole.subarray(0, whole.length - 10) },
      `model.safetensors has ${whole.length - 10} bytes, and its tensors need ${whole.length}.`,
    ],
    ['named', { 'manifest.json': '{}' }, 'manifest.json is a name that is written beside the files'],
  ])('%s', async (name, changes, sentence) => {
    const { code, errors } = await publish(makeModelFolder(join(directory, name), changes), '--apply');

    expect(errors).toContain(sentence);
    expect(code).toBe(2);
  });
});

describe('a request that cannot be met names what is missing', () => {
  test.each([
    [['models', 'publish', '--alias', 'e5'], 'models publish needs an alias, a folder and a bucket.'],
    [['models', 'check', '--apply'], '--apply is for models publish alone.'],
    [
      ['models', 'publish', '--alias', 'e5', '--from', 'model', '--bucket', 'b', '--prefix', '../up'],
      '--prefix "../up": expected names with slashes',
    ],
    [
      ['models', 'publish', '--alias', 'e5', '--from', 'nowhere', '--bucket', 'b'],
      'The folder nowhere cannot be read (ENOENT).',
    ],
  ])('%j', async (words, sentence) => {
    const { code, errors } = await runCli(directory, words);

    expect(errors).toContain(sentence);
    expect(code).toBe(2);
  });

  test('a bucket that is not there', async () => {
    const folder = makeModelFolder(join(directory, 'fine'));

    const { code, errors } = await publish(folder, '--bucket', 'nobodys');

    expect(errors).toContain('There is no bucket nobodys.');
    expect(code).toBe(2);
  });
});
