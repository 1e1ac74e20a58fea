import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { roundToHalf } from '../../../lib/core/half-floats.ts';
import { checkVectorArray, encodeVectorArray } from '../../../lib/core/vectors.ts';

const toBytes = (...values: number[]) => Buffer.from(new Float32Array(values).buffer);
const roundBoth = (...values: number[]) =>
  [true, false].map(isNative => roundToHalf(toBytes(...values), isNative)?.toString('hex'));

describe('roundToHalf', () => {
  it('rounds every bit pattern of float32 alike, by the runtime and by itself', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4, maxLength: 400 }), bytes => {
        const vector = Buffer.from(bytes.subarray(0, bytes.length - (bytes.length % 4)));

        expect(roundToHalf(vector, false)).toEqual(roundToHalf(vector, true));
      }),
      { numRuns: 2000 },
    );
  });

  it('rounds values of usual vectors alike, and ties to even', () => {
    const usual = fc.array(fc.float({ min: -2, max: 2, noNaN: true }), { minLength: 1, maxLength: 400 });
    fc.assert(
      fc.property(usual, values => {
        const vector = toBytes(...values);

        expect(roundToHalf(vector, false)).toEqual(roundToHalf(vector, true));
      }),
    );
    // 1 + 2⁻¹¹ lies between two half floats, as do 1 + 3 · 2⁻¹¹ and half of the least one.
    expect(roundBoth(1 + 2 ** -11, 1 + 3 * 2 ** -11)).toEqual(['003c023c', '003c023c']);
    expect(roundBoth(1, 2 ** -25, 2 ** -25 + 2 ** -40, 2 ** -24)).toEqual(Array(2).fill('003c000001000100'));
    expect(roundBoth(2 ** -14, 2 ** -14 - 2 ** -26, -(2 ** -15))).toEqual(Array(2).fill('000400040082'));
  });

  it('knows no vector beyond ±65,504, as pgvector, and none that is zero', () => {
    expect(roundBoth(65_504, -65_519)).toEqual(Array(2).fill('ff7bfffb'));
    for (const value of [65_520, -65_520, 70_000, 3e38, Number.POSITIVE_INFINITY, Number.NaN])
      expect(roundBoth(1, value)).toEqual([undefined, undefined]);
    expect(roundBoth(0, -0, 1e-9)).toEqual([undefined, undefined]);
  });

  it('leaves its input alone, wherever in memory it lies', () => {
    const shifted = Buffer.concat([Buffer.alloc(1), toBytes(1, -2)]).subarray(1);

    expect(roundToHalf(shifted)?.toString('hex')).toBe('003c00c0');
    expect(shifted).toEqual(toBytes(1, -2));
  });
});

describe('a binary halfvec[]', () => {
  it('has two bytes per component, whatever the number of dimensions', () => {
    const vectors = [roundToHalf(toBytes(1, -2, 0.5))!, null];

    const array = encodeVectorArray(vectors, 3, 'halfvec');

    expect(array.toString('hex')).toBe(
      `00000001${'00000001'}00000000${'00000002'}00000001` + `0000000a${'0003'}0000${'3c00c0003800'}ffffffff`,
    );
    checkVectorArray(array, [true, false], 3, 'halfvec');
    expect(() => checkVectorArray(array, [true, false], 3)).toThrow(RangeError);
    expect(() => encodeVectorArray([toBytes(1, 2, 3)], 3, 'halfvec')).toThrow(RangeError);
  });
});
