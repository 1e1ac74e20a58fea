import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FreshetError } from '../../../lib/core/errors.ts';
import { decodeResult, encodeResult } from '../../../lib/core/result-codec.ts';
import type { ComposedResult, ResultObject } from '../../../lib/core/result-object.ts';
import { sha256Hex } from '../../../lib/core/text.ts';
import { encodeVectorArray } from '../../../lib/core/vectors.ts';

const text = fc.string({ unit: 'binary', maxLength: 12 });
const hash = fc.nat().map(seed => sha256Hex(String(seed)));
const lane = fc.constantFrom('fresh' as const, 'bulk' as const);
const reading = { id: text, version: fc.option(text), xid: text, readAt: text };
const lengths = { textLength: fc.nat(), keptLength: fc.nat() };

const outcomeEntry = fc.record({
  ...reading,
  ...lengths,
  outcome: fc.constantFrom(
    'embedded' as const,
    'excluded:empty' as const,
    'excluded:unknown-words' as const,
    'too-long' as const,
    'undelivered' as const,
    'refused:http_400' as const,
  ),
  contentHash: fc.option(hash),
  tokens: fc.nat(),
});

const call = fc.record({
  callId: fc.uuid(),
  modelAlias: text,
  lane,
  items: fc.nat(),
  uniqueTexts: fc.nat(),
  tokens: fc.nat(),
  costUsd: fc.double({ min: 0, max: 1e6, noNaN: true }),
  latencyMs: fc.double({ min: 0, max: 1e6, noNaN: true }),
  outcome: text,
  requestId: fc.option(text),
});

const result: fc.Arbitrary<ComposedResult> = fc
  .record({
    spaceId: fc.nat(),
    dispatchId: fc.uuid(),
    lane,
    runId: fc.option(fc.nat()),
    dimensions: fc.constant(2),
    calls: fc.array(call, { maxLength: 3 }),
    outcomes: fc.array(outcomeEntry, { maxLength: 5 }),
    copies: fc.array(fc.record({ ...reading, ...lengths, contentHash: hash }), { maxLength: 3 }),
    touches: fc.array(fc.record({ ...reading, contentHash: hash }), { maxLength: 3 }),
    verdicts: fc.array(
      fc.record({ contentHash: hash, failureClass: fc.constant('item' as const), code: text }),
      { maxLength: 3 },
    ),
  })
  .map(header => ({
    ...header,
    vectors: header.outcomes.map(entry =>
      entry.outcome === 'embedded' ? Buffer.from('0000803f00000000', 'hex') : null,
    ),
  }));

const encodedVectors = ({ vectors, dimensions }: ComposedResult) => encodeVectorArray(vectors, dimensions);

/** Throws for every failure but `corrupt_result`. */
function decodeOrRefuse(body: Buffer): ResultObject | undefined {
  try {
    return decodeResult(body);
  } catch (error) {
    expect(error).toBeInstanceOf(FreshetError);
    expect(error).toMatchObject({ failureClass: 'unknown', code: 'corrupt_result' });
    return undefined;
  }
}

describe('a result object', () => {
  it('comes back as it went', () => {
    fc.assert(
      fc.property(result, original => {
        expect(decodeResult(encodeResult(original))).toEqual({
          ...original,
          vectors: encodedVectors(original),
        });
      }),
    );
  });

  it('is corrupt when anything is cut off or added', () => {
    fc.assert(
      fc.property(result, fc.nat(), (original, seed) => {
        const body = encodeResult(original);

        expect(decodeOrRefuse(body.subarray(0, seed % body.length))).toBeUndefined();
        expect(decodeOrRefuse(Buffer.concat([body, Buffer.of(seed & 255)]))).toBeUndefined();
      }),
    );
  });

  it('is read within its bytes or refused, whichever bit flips', () => {
    fc.assert(
      fc.property(result, fc.nat(), fc.nat(7), (original, position, bit) => {
        const body = encodeResult(original);
        const place = position % body.length;
        body[place] = (body[place] ?? 0) ^ (1 << bit);

        const decoded = decodeOrRefuse(body);

        if (decoded !== undefined) {
          expect(decoded.vectors.byteOffset + decoded.vectors.length).toBe(body.byteOffset + body.length);
          expect(decoded.vectors.length).toBe(encodedVectors(original).length);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('is refused for arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
        expect(decodeOrRefuse(Buffer.from(bytes))).toBeUndefined();
        expect(decodeOrRefuse(Buffer.concat([Buffer.from('FRESHET1'), bytes]))).toBeUndefined();
      }),
    );
  });

  it('is not written with a number that cannot be read back', () => {
    const [original] = fc.sample(result, { numRuns: 1, seed: 1 });

    expect(() => encodeResult({ ...(original as ComposedResult), spaceId: Number.NaN })).toThrow(/"spaceId"/);
    expect(() =>
      encodeResult({ ...(original as ComposedResult), dispatchId: undefined as unknown as string }),
    ).toThrow(RangeError);
  });
});
