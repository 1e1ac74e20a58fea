import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { goldenKeyOf } from '../../../lib/core/golden-texts.ts';
import type { JsonObject, ModelDefinition } from '../../../lib/core/model.ts';
import { describeRecipe, fingerprintSpace, fingerprintText, hashFields } from '../../../lib/core/text.ts';
import { makeModel } from '../../factories/model-definition.ts';

describe('hashFields', () => {
  it('tells lists apart that read alike when joined', () => {
    const separators = fc.string({ unit: fc.constantFrom('a', '1', ':', ',', '|', 'é') });
    const fields = fc.array(separators, { maxLength: 4 });

    fc.assert(
      fc.property(fields, fields, (one, other) => {
        const equal = JSON.stringify(one) === JSON.stringify(other);
        expect(hashFields(one) === hashFields(other)).toBe(equal);
      }),
      { numRuns: 2000 },
    );
    expect(hashFields(['ab', 'c'])).not.toBe(hashFields(['a', 'bc']));
    expect(hashFields(['1:a'])).not.toBe(hashFields(['', 'a']));
  });
});

describe('fingerprintText', () => {
  it('stays what it was: a change means buying every vector again', () => {
    expect(fingerprintText('The river, risen.')).toBe(
      'c41dcf91f2e3674274d4d409f7f78dab46e92d85041869267eda8b9160e29663',
    );
  });

  it('is not the bare SHA-256 of anything that another use could make', () => {
    expect(fingerprintText('x')).not.toBe(hashFields(['x']));
  });
});

describe('fingerprintSpace', () => {
  const base = { sourceName: 'ai_items', model: makeModel(), recipe: 'r' };

  it.each([
    { sourceName: 'other' },
    { recipe: 'r2' },
    { storage: 'halfvec' as const },
    { model: makeModel({ alias: 'b' }) },
    { model: makeModel({ provider: 'hash' }) },
    { model: makeModel({ modelId: 'b' }) },
    { model: makeModel({ revision: '2' }) },
    { model: makeModel({ dimensions: 9 }) },
    { model: makeModel({ maxTokensPerText: undefined }) },
    { model: makeModel({ documentPrefix: 'passage: ' }) },
    { model: makeModel({ normalized: false }) },
    { model: makeModel({ extraBody: { input_type: 'document' } }) },
    { model: makeModel({ files: { 'model.onnx': 'a' } }) },
  ])('differs for %o', change => {
    expect(fingerprintSpace({ ...base, ...change })).not.toBe(fingerprintSpace(base));
  });

  it.each([
    { usdPerMillionTokens: 9 },
    { queryPrefix: 'query: ' },
    { baseUrl: 'https://example.com/v1' },
    { sendDimensions: false },
    { extraBody: {} },
    { queryExtraBody: { input_type: 'query' } },
    { queryModelId: 'lite' },
    { encodingFormat: 'float' },
    { headers: { 'x-api-key': { env: 'KEY' } } },
    { allowHttp: true },
  ] as const)('is the same for %o, which leaves stored vectors as they are', change => {
    expect(fingerprintSpace({ ...base, model: makeModel(change) })).toBe(fingerprintSpace(base));
  });

  it('stays what it was without additional fields: another one is another space', () => {
    expect(fingerprintSpace(base)).toBe('449a3e66a7011b6b0877b088d14c21e03d45a04c6bf2f0b85005232661c12e2a');
  });

  it('heeds what additional fields say, and not their order', () => {
    const of = (extraBody: JsonObject) => fingerprintSpace({ ...base, model: makeModel({ extraBody }) });

    expect(of({ a: 1, b: { c: [1], d: 2 } })).toBe(of({ b: { d: 2, c: [1] }, a: 1 }));
    expect(of({ a: [1, 2] })).not.toBe(of({ a: [2, 1] }));
    expect(of({ a: 1 })).not.toBe(of({ a: '1' }));
    expect(goldenKeyOf(makeModel({ extraBody: { a: 1 } }))).not.toEqual(goldenKeyOf(makeModel()));
    expect(goldenKeyOf(makeModel({ extraBody: {} }))).toEqual(goldenKeyOf(makeModel()));
  });

  it("heeds the digests of a model's files and how its vectors are pooled, and not where the files lie", () => {
    const of = (changes: Partial<ModelDefinition>) =>
      fingerprintSpace({ ...base, model: makeModel({ files: { 'model.onnx': 'a' }, ...changes }) });

    expect(of({ files: { 'model.onnx': 'b' } })).not.toBe(of({}));
    expect(of({ pooling: 'cls' })).not.toBe(of({}));
    expect(of({ pooling: 'mean', modelFolder: '/models' })).toBe(of({}));
  });
});

describe('describeRecipe', () => {
  const source = { textColumns: [{ name: 'title', isArray: false }], overLimit: 'truncate' } as const;

  it('names version, columns, template and what happens to long texts', () => {
    expect(JSON.parse(describeRecipe({ ...source, template: '{title}' }))).toEqual({
      version: 1,
      columns: [['title', false]],
      template: '{title}',
      overLimit: 'truncate',
    });
  });

  it('does not depend on the order in which a source was written', () => {
    expect(
      describeRecipe({ overLimit: 'truncate', textColumns: source.textColumns, template: undefined }),
    ).toBe(describeRecipe(source));
  });
});
