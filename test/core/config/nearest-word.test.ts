import { describe, expect, it } from 'vitest';
import { nearestWord } from '../../../lib/core/config/describe-issues.ts';

describe('nearestWord', () => {
  it.each([
    ['colums', 'columns'],
    ['tabel', 'table'],
    ['MODEL', 'model'],
    ['updated', 'updatedAt'],
  ])('finds for %s the word %s', (word, expected) => {
    expect(nearestWord(word, ['name', 'table', 'columns', 'model', 'updatedAt'])).toBe(expected);
  });

  it('finds nothing where nothing is near', () => {
    expect(nearestWord('quux', ['name', 'table', 'columns'])).toBeUndefined();
  });
});
