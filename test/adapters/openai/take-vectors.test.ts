import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { takeVectors } from '../../../lib/adapters/providers/openai-vectors.ts';
import { BytePieces } from '../../../lib/core/vectors.ts';
import { vectorForText } from '../../doubles/vector-for-text.ts';

const vector = vectorForText('one', 8);
const encoded = vector.toString('base64');
const others = vectorForText('two', 8);

const take = (json: string, cuts: readonly number[] = []) => takeVectors(cutAt(json, cuts));

/** A body in pieces, as it may come from a socket; some of them may be empty. */
function cutAt(json: string, cuts: readonly number[]): BytePieces {
  const body = Buffer.from(json);
  const places = [...cuts.map(cut => Math.round(cut * body.length)), body.length].sort((a, b) => a - b);
  return new BytePieces(
    places.map((place, index) => Buffer.from(body.subarray(places[index - 1] ?? 0, place))),
  );
}

/** What a reply says, with vectors given back as the base64 that they were taken from. */
function restore(json: string, cuts: readonly number[]): unknown {
  const { text, vectors } = take(json, cuts);
  return JSON.parse(text, (name, value) =>
    name.endsWith('embedding') && vectors.has(value) ? vectors.get(value)?.toString('base64') : value,
  );
}

const isJson = (text: string) => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

const embedding = fc.oneof(
  fc.uint8Array({ maxLength: 24 }).map(bytes => Buffer.from(bytes).toString('base64')),
  fc.constantFrom(
    '****',
    'AA/A',
    'AA-A',
    '"embedding":"AAAA"',
    '\\"embedding":"AAAA"',
    'AAAA\n',
    '#0',
    'größer',
  ),
  fc.array(fc.double(), { maxLength: 3 }),
  fc.constantFrom(null, 1, {}),
);
const reply = fc.record({
  data: fc.array(
    fc.oneof(
      fc.record({ object: fc.constant('embedding'), index: fc.nat(9), embedding }),
      fc.record({ embedding, text: fc.string({ unit: 'binary' }) }),
      fc.record({ 'my"embedding': embedding, embedding: fc.record({ embedding }) }),
    ),
    { maxLength: 5 },
  ),
});
const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 9 });
const layout = fc.constantFrom<string | number | undefined>(undefined, 1, '\t', ' \r\n ');

describe('takeVectors', () => {
  it('takes each vector out of the text and leaves its name there', () => {
    const json = JSON.stringify({
      data: [
        { object: 'embedding', index: 0, embedding: encoded },
        { object: 'embedding', index: 1, embedding: others.toString('base64') },
      ],
    });

    const { text, vectors } = take(json);

    expect([...vectors]).toEqual([
      ['#0', vector],
      ['#1', others],
    ]);
    expect(JSON.parse(text).data.map((item: { embedding: string }) => item.embedding)).toEqual(['#0', '#1']);
  });

  it.each([
    ['escaped slashes', `{"embedding":"${encoded.replaceAll('/', '\\/')}\\/"}`],
    ['junk', '{"embedding":"****"}'],
    ['nothing', '{"embedding":""}'],
    ['no end', `{"embedding":"${encoded}`],
    ['numbers', '{"embedding":[0.5,1]}'],
    ['no key before it', '["embedding","AAAA"]'],
  ])('leaves a value with %s to the parser', (_, json) => {
    expect(take(json)).toEqual({ text: json, vectors: new Map() });
  });

  it('leaves a reply whole that has one vector it cannot read, and one that looks like a name of its own', () => {
    const json = JSON.stringify([{ embedding: encoded }, { embedding: '#0' }]);

    expect(take(json)).toEqual({ text: json, vectors: new Map() });
  });

  it('takes a vector from across the pieces of a body, wherever they were cut', () => {
    const json = JSON.stringify({ data: [{ embedding: encoded }, { index: 1, embedding: encoded }] });
    const whole = take(json);

    for (let first = 0; first <= json.length; first += 1) {
      const cut = take(json, [first / json.length, (first + 5) / json.length]);
      expect(cut).toEqual(whole);
    }
  });

  it('changes nothing of what a reply says, however it is written', () => {
    fc.assert(
      fc.property(reply, layout, cuts, (said, space, places) => {
        const json = JSON.stringify(said, null, space);
        expect(restore(json, places)).toEqual(JSON.parse(json));
      }),
    );
  });

  it('never makes JSON of what is none', () => {
    const damage = fc.record({
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      letters: fc.string({ maxLength: 3 }),
      cut: fc.nat(4),
    });
    fc.assert(
      fc.property(reply, damage, cuts, (said, { at, letters, cut }, places) => {
        const json = JSON.stringify(said);
        const place = Math.floor(at * json.length);
        const damaged = Buffer.from(json.slice(0, place) + letters + json.slice(place + cut)).toString();
        expect(isJson(take(damaged, places).text)).toBe(isJson(damaged));
      }),
      { numRuns: 500 },
    );
  });
});
