import { describe, expect, it } from 'vitest';
import { requireVectors } from '../../../lib/core/reply.ts';

const MODEL = { modelId: 'bge-m3', dimensions: 2, normalized: true };
const unit = Buffer.from(new Float32Array([0, 1]).buffer);
const zero = Buffer.alloc(8);

describe('a reply whose every vector is needed', () => {
  it('gives them by position', () => {
    const other = Buffer.from(new Float32Array([1, 0]).buffer);
    const items = [
      { index: 1, bytes: other },
      { index: 0, bytes: unit },
    ];

    expect(requireVectors({ items, model: 'BAAI/bge-m3' }, MODEL, 2)).toEqual([unit, other]);
  });

  it('is refused where the model knows no word of a text', () => {
    const reply = {
      items: [{ index: 0, bytes: unit }],
      excluded: [{ index: 1, reason: 'unknown-words' as const }],
    };

    expect(() => requireVectors(reply, MODEL, 2)).toThrow(
      expect.objectContaining({ failureClass: 'item', code: 'unknown_words' }),
    );
  });

  it.each([
    ['a vector is unusable', [unit, zero], 'bge-m3', 'invalid_vector'],
    ['another known model answered', [unit, unit], 'all-mpnet-base-v2', 'wrong_model'],
  ])('is refused, with its request id, where %s', (_, vectors, model, code) => {
    const items = vectors.map((bytes, index) => ({ index, bytes }));

    expect(() => requireVectors({ items, model, requestId: 'req_1' }, MODEL, 2)).toThrow(
      expect.objectContaining({ failureClass: 'stop', code, requestId: 'req_1' }),
    );
  });
});
