import { expect, test } from 'vitest';
import { chooseDiverse } from '../../lib/core/diversity.ts';

const candidate = (name: string, similarity: number, ...vector: number[]) => ({
  ...{ name, similarity, vector: new Float32Array(vector) },
});
const candidates = [
  candidate('first', 0.9, 1, 0),
  candidate('twin', 0.89, 2, 0),
  candidate('other', 0.5, 0, 1),
];
const namesOf = (diversity: number, limit = 2) =>
  chooseDiverse(candidates, diversity, limit).map(({ name }) => name);

test('without diversity the order stays', () => {
  expect(namesOf(0)).toEqual(['first', 'twin']);
});

test('with diversity a twin gives way to what differs, whatever the lengths of vectors', () => {
  expect(namesOf(0.5)).toEqual(['first', 'other']);
  expect(namesOf(1)).toEqual(['first', 'other']);
});

test('every candidate is chosen at most once', () => {
  expect(namesOf(0.5, 10).sort()).toEqual(['first', 'other', 'twin']);
});
