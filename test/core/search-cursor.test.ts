import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hashSearch, openCursor, sealCursor } from '../../lib/core/search-cursor.ts';

const key = Buffer.from('a key of the service');
const search = hashSearch(['notes', 'a text']);

describe('a cursor', () => {
  test('gives back the position that it was made of', () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.double({ min: 0, max: 2, noNaN: true }),
        fc.string(),
        fc.nat(),
        (space, distance, id, hits) => {
          const position = { space, distance: distance + 0, id, hits };
          expect(openCursor(key, search, sealCursor(key, search, position))).toEqual(position);
        },
      ),
    );
  });

  test('is refused where a byte is changed, or the search or the key is another', () => {
    const cursor = sealCursor(key, search, { space: 1, distance: 0.5, id: '7', hits: 10 });
    const bytes = Buffer.from(cursor, 'base64url');
    const changed = bytes.map((byte, place) => (place === bytes.length - 2 ? byte ^ 1 : byte));
    const attempts: [Buffer, Buffer, string][] = [
      [key, search, Buffer.from(changed).toString('base64url')],
      [key, hashSearch(['notes', 'another']), cursor],
      [Buffer.from('another'), search, cursor],
      [key, search, ''],
      [key, search, 'x'.repeat(100_000)],
    ];

    for (const [withKey, ofSearch, text] of attempts)
      expect(() => openCursor(withKey, ofSearch, text)).toThrow('cursor: belongs to another search');
  });
});
