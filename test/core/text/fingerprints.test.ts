import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
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
    { model: makeModel({ alias: 'b' }) },
    { model: makeModel({ provider: 'hash' }) },
    { model: makeModel({ modelId: 'b' }) },
    { model: makeModel({ revision: '2' }) },
    { model: makeModel({ dimensions: 9 }) },
    { model: makeModel({ maxTokensPerText: undefined }) },
    { model: makeModel({ documentPrefix: 'passage: ' }) },
    { model: makeModel({ normalized: false }) },
  ])('differs for %o', change => {
    expect(fingerprintSpace({ ...base, ...change })).not.toBe(fingerprintSpace(base));
  });

  it.each([
    { usdPerMillionTokens: 9 },
    { queryPrefix: 'query: ' },
    { baseUrl: 'https://example.com/v1' },
    { sendDimensions: false },
  ])('is the same for %o, which leaves stored vectors as they are', change => {
    expect(fingerprintSpace({ ...base, model: makeModel(change) })).toBe(fingerprintSpace(base));
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
