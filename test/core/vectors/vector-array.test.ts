import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkVectorArray,
  encodeVectorArray,
  joinVectorArrays,
  setElementOid,
} from '../../../lib/core/vectors.ts';

/** Written from `array_send` and `vector_send`, one value at a time. */
function referenceEncoding(vectors: readonly (readonly number[] | null)[], dimensions: number): Buffer {
  const parts: Buffer[] = [];
  const int32 = (value: number) => {
    const part = Buffer.alloc(4);
    part.writeInt32BE(value);
    parts.push(part);
  };
  if (vectors.length === 0) return Buffer.alloc(12);
  for (const value of [1, vectors.includes(null) ? 1 : 0, 0, vectors.length, 1]) int32(value);
  for (const vector of vectors) {
    int32(vector === null ? -1 : 4 + 4 * dimensions);
    if (vector === null) continue;
    parts.push(Buffer.of(dimensions >> 8, dimensions & 255, 0, 0));
    for (const value of vector) {
      const part = Buffer.alloc(4);
      part.writeFloatBE(value);
      parts.push(part);
    }
  }
  return Buffer.concat(parts);
}

const vectorsOf3 = fc.array(fc.option(fc.array(fc.float({ noNaN: true }), { minLength: 3, maxLength: 3 })), {
  maxLength: 20,
});

describe('encodeVectorArray', () => {
  it('equals a reference and leaves its input alone', () => {
    fc.assert(
      fc.property(vectorsOf3, fc.nat(3), (vectors, shift) => {
        const buffers = vectors.map(vector => {
          if (vector === null) return null;
          const floats = Buffer.from(Float32Array.from(vector).buffer);
          return Buffer.concat([Buffer.alloc(shift), floats]).subarray(shift);
        });
        const before = buffers.map(buffer => buffer?.toString('hex'));

        const array = encodeVectorArray(buffers, 3);

        expect(array.equals(referenceEncoding(vectors, 3))).toBe(true);
        expect(buffers.map(buffer => buffer?.toString('hex'))).toEqual(before);
        checkVectorArray(
          array,
          vectors.map(vector => vector !== null),
          3,
        );
      }),
    );
  });

  it('refuses a vector of another length', () => {
    expect(() => encodeVectorArray([Buffer.alloc(12), Buffer.alloc(8)], 3)).toThrow(RangeError);
  });
});

describe('joinVectorArrays', () => {
  it('equals the encoding of all vectors together, with the OID', () => {
    fc.assert(
      fc.property(fc.array(vectorsOf3, { maxLength: 4 }), lists => {
        const toBuffers = (vectors: readonly (readonly number[] | null)[]) =>
          vectors.map(vector => vector && Buffer.from(Float32Array.from(vector).buffer));
        const parts = lists.map(vectors => encodeVectorArray(toBuffers(vectors), 3));
        const before = parts.map(part => Buffer.from(part));

        const joined = joinVectorArrays(parts, 4711).toBuffer();

        expect(joined).toEqual(setElementOid(encodeVectorArray(toBuffers(lists.flat()), 3), 4711));
        expect(parts).toEqual(before);
      }),
    );
  });
});

describe('setElementOid', () => {
  it('changes nothing but the element type', () => {
    const array = encodeVectorArray([Buffer.alloc(12), null], 3);
    const expected = Buffer.from(array);
    expected.writeUInt32BE(3_000_000_000, 8);

    expect(setElementOid(array, 3_000_000_000)).toBe(array);
    expect(array.equals(expected)).toBe(true);
  });
});

describe('checkVectorArray', () => {
  it('refuses every other layout', () => {
    const array = encodeVectorArray([Buffer.alloc(12), null], 3);

    expect(() => checkVectorArray(array, [true, true], 3)).toThrow(RangeError);
    expect(() => checkVectorArray(array, [true, false, false], 3)).toThrow(RangeError);
    expect(() => checkVectorArray(array, [true, false], 4)).toThrow(RangeError);
    expect(() => checkVectorArray(array, [], 3)).toThrow(RangeError);
    expect(() => checkVectorArray(Buffer.concat([array, Buffer.of(0)]), [true, false], 3)).toThrow(
      RangeError,
    );
    for (let length = 0; length < array.length; length += 1) {
      expect(() => checkVectorArray(array.subarray(0, length), [true, false], 3)).toThrow(RangeError);
    }
  });
});
