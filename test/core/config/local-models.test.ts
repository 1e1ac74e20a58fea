import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../lib/core/config/parse-config.ts';

const DIGEST = 'A'.repeat(64);
const files = { 'onnx/model.onnx': DIGEST, 'tokenizer.json': DIGEST };
const known = { provider: 'local', modelId: 'all-MiniLM-L6-v2', files };
const own = {
  ...known,
  modelId: 'acme/embed',
  dimensions: 8,
  revision: 'b'.repeat(40),
  maxTokensPerText: 256,
};

const parse = (settings: object) =>
  parseConfig({
    models: { mine: settings },
    sources: [{ name: 'items', table: 'items', text: { columns: ['title'] }, model: 'mine' }],
  } as never).models.mine!;

describe('a model of provider local', () => {
  it('needs the digests of its files alone, where the weights are known', () => {
    expect(parse(known)).toMatchObject({
      modelId: 'sentence-transformers/all-MiniLM-L6-v2',
      revision: '1110a243fdf4706b3f48f1d95db1a4f5529b4d41',
      ...{ dimensions: 384, maxTokensPerText: 256, pooling: 'mean', normalized: true },
      files: { 'onnx/model.onnx': DIGEST.toLowerCase(), 'tokenizer.json': DIGEST.toLowerCase() },
    });
  });

  it('takes the first token of weights that are known for it, unless it says otherwise', () => {
    expect(parse({ ...known, modelId: 'bge-m3' }).pooling).toBe('cls');
    expect(parse({ ...known, modelId: 'bge-m3', pooling: 'mean' }).pooling).toBe('mean');
  });

  it('may have any name and revision where a folder holds its files', () => {
    const settings = { ...own, modelId: 'mine', revision: '1', modelFolder: '/models' };

    expect(parse(settings)).toMatchObject({ modelFolder: '/models', revision: '1' });
  });

  it.each([
    [{ files: undefined }, 'files: is missing; provider "local" checks every file'],
    [{ files: { 'tokenizer.json': DIGEST } }, 'one that ends in .onnx, and one tokenizer.json'],
    [{ files: { ...files, 'int8.onnx': DIGEST } }, 'one that ends in .onnx, and one tokenizer.json'],
    [{ files: { ...files, 'model.onnx_data': 'abc' } }, 'expected the SHA-256 of each file'],
    [{ files: { ...files, '../../.ssh/key': DIGEST } }, 'expected the SHA-256 of each file'],
    [{ files: { ...files, '/etc/passwd': DIGEST } }, 'expected the SHA-256 of each file'],
    [{ maxTokensPerText: undefined }, 'maxTokensPerText: is missing; it is max_seq_length'],
    [{ revision: 'main' }, 'revision: is "main"; files of the hub are downloaded from a commit'],
    [{ modelId: 'embed' }, 'modelId: expected owner/name'],
    [{ pooling: 'max' }, 'pooling: expected "mean" or "cls"'],
    [{ baseUrl: 'https://hub.example' }, 'baseUrl: means nothing to provider "local"'],
  ])('is refused with %o', (changes, message) => {
    expect(() => parse({ ...own, ...changes })).toThrow(message);
  });

  it('has keys that mean nothing to other providers', () => {
    for (const settings of [{ files }, { modelFolder: '/models' }, { pooling: 'cls' }])
      expect(() => parse({ provider: 'hash', modelId: 'm', dimensions: 8, ...settings })).toThrow(
        'means nothing to provider "hash"; it is for "local"',
      );
  });
});
