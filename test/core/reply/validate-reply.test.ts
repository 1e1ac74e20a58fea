import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { validateReply } from '../../../lib/core/reply.ts';
import { vectorForText } from '../../doubles/vector-for-text.ts';

const expected = { count: 3, dimensions: 4, normalized: true };

function floats(...values: number[]): Buffer {
  return Buffer.from(Float32Array.from(values).buffer);
}

function replyOf(...vectors: Buffer[]) {
  return { items: vectors.map((bytes, index) => ({ index, bytes })), requestId: 'req_1' };
}

const good = floats(0, 1, 0, 0);

describe('validateReply', () => {
  it('gives back the vectors in the order of the texts, without copying them', () => {
    const vectors = ['a', 'b', 'c'].map(text => vectorForText(text, 4));
    const items = [2, 0, 1].map(index => ({ index, bytes: vectors[index] ?? good }));

    const checked = validateReply({ items }, expected);

    expect(checked.invalid).toEqual([]);
    expect(checked.vectors.every((vector, position) => vector === vectors[position])).toBe(true);
  });

  it.each([
    ['fewer', [0, 1]],
    ['more', [0, 1, 2, 3]],
    ['none', []],
  ])('rejects a reply with %s vectors than texts', (_, indexes) => {
    expect(() =>
      validateReply({ items: indexes.map(index => ({ index, bytes: good })), requestId: 'req_1' }, expected),
    ).toThrow(
      expect.objectContaining({ failureClass: 'transient', code: 'invalid_reply_count', requestId: 'req_1' }),
    );
  });

  it.each([[[0, 1, 1]], [[0, 1, 3]], [[-1, 1, 2]], [[0, 1.5, 2]], [[0, Number.NaN, 2]]])(
    'rejects indexes %o',
    indexes => {
      expect(() =>
        validateReply({ items: indexes.map(index => ({ index, bytes: good })) }, expected),
      ).toThrow(expect.objectContaining({ failureClass: 'transient', code: 'invalid_reply_index' }));
    },
  );

  it('gives no vector, and the reason, for texts that the provider excludes', () => {
    const items = [2, 0].map(index => ({ index, bytes: good }));
    const excluded = [{ index: 1, reason: 'unknown-words' as const }];

    expect(validateReply({ items, excluded }, expected)).toEqual({
      ...{ vectors: [good, null, good], invalid: [] },
      excluded: new Map([[1, 'unknown-words']]),
    });
  });

  it.each([[[0]], [[3]], [[1, 1]]])(
    'rejects exclusions of texts %o that have a vector or do not exist',
    excluded => {
      const reply = {
        items: [0, 2].slice(0, 3 - excluded.length).map(index => ({ index, bytes: good })),
        excluded: excluded.map(index => ({ index, reason: 'unknown-words' as const })),
      };

      expect(() => validateReply(reply, expected)).toThrow(
        expect.objectContaining({ failureClass: 'transient', code: 'invalid_reply_index' }),
      );
    },
  );

  it('stops, with the number to configure, when every vector has another length', () => {
    const other = floats(0, 1, 0);

    expect(() => validateReply(replyOf(other, other, other), expected)).toThrow(
      expect.objectContaining({
        failureClass: 'stop',
        code: 'wrong_dimensions',
        message: expect.stringContaining("Set the model's dimensions to 3"),
      }),
    );
  });

  it.each([
    ['NaN', floats(Number.NaN, 1, 0, 0)],
    ['infinite', floats(Number.POSITIVE_INFINITY, 0, 0, 0)],
    ['zero', floats(0, 0, 0, 0)],
    ['negative zero', floats(-0, -0, -0, -0)],
    ['of length 1.02', floats(1.02, 0, 0, 0)],
    ['without bytes', Buffer.alloc(0)],
    ['with a byte too many', Buffer.concat([good, Buffer.of(0)])],
    ['of other dimensions than its neighbours', floats(1, 0, 0)],
  ])('refuses a vector that is %s and keeps its neighbours', (_, bad) => {
    expect(validateReply(replyOf(good, bad, good), expected)).toEqual({
      vectors: [good, null, good],
      invalid: [1],
      excluded: new Map(),
    });
  });

  it('takes any length but zero where the model promises none', () => {
    const unbounded = { ...expected, normalized: false };

    const checked = validateReply(
      replyOf(floats(3, 4, 0, 0), floats(0, 0, 0, 0), floats(0.1, 0, 0, 0)),
      unbounded,
    );

    expect(checked.invalid).toEqual([1]);
  });

  it('refuses lengths whose square single precision cannot hold, whatever the model promises', () => {
    const unbounded = { ...expected, normalized: false };

    const checked = validateReply(replyOf(floats(1e-25, 0, 0, 0), good, floats(1e25, 0, 0, 0)), unbounded);

    expect(checked.invalid).toEqual([0, 2]);
  });

  it('reads vectors at any offset in memory', () => {
    const whole = Buffer.concat([Buffer.of(7), good, good, good]);
    const shifted = [0, 1, 2].map(position => whole.subarray(1 + position * 16, 17 + position * 16));

    expect(validateReply(replyOf(...shifted), expected).invalid).toEqual([]);
  });

  it('agrees with plain arithmetic on arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), bytes => {
        const vector = Buffer.from(bytes);
        const values = [0, 4, 8, 12].map(offset => vector.readFloatLE(offset));
        const norm = Math.hypot(...values);
        const usable = Number.isFinite(norm) && Math.abs(norm - 1) <= 0.01;

        expect(validateReply(replyOf(good, vector, good), expected).invalid).toEqual(usable ? [] : [1]);
      }),
    );
  });
});
