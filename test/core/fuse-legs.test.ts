import { describe, expect, it } from 'vitest';
import { fuseLegs } from '../../lib/core/fuse-legs.ts';

const both = { semantic: 1, keyword: 1 };
const near = Array.from({ length: 60 }, (_, place) => ({ id: `n${place}`, similarity: 0.9 - place / 100 }));
const idsOf = (found: readonly { readonly id: string }[]) => found.map(({ id }) => id);

describe('fuseLegs', () => {
  it('scales similarities to those of the first fifty rows', () => {
    const scores = fuseLegs({ near, worded: [], shares: [] }, both).map(({ score }) => score);

    expect(scores[0]).toBe(1);
    expect(scores[49]).toBe(0);
    expect(scores[59]).toBe(0);
    const nearer = near.map(({ id, similarity }) => ({ id, similarity: 0.5 + similarity / 10 }));
    const others = fuseLegs({ near: nearer, worded: [], shares: [] }, both);
    for (const [place, { score }] of others.entries()) expect(score).toBeCloseTo(scores[place]!);
  });

  it('counts a word most that none of the nearest rows has', () => {
    const stranger = { id: 'w', similarity: 0, terms: [0] };

    const unmet = fuseLegs({ near, worded: [stranger], shares: [1] }, both);
    const met = fuseLegs(
      { near, worded: [stranger, { id: 'n6', similarity: 0.84, terms: [0] }], shares: [1] },
      both,
    );
    const metLater = fuseLegs(
      { near, worded: [stranger, { id: 'n8', similarity: 0.82, terms: [0] }], shares: [1] },
      both,
    );

    expect(unmet[0]).toEqual({ id: 'w', score: 1.5 });
    expect(met[0]?.id).toBe('n6');
    expect(met.find(({ id }) => id === 'w')?.score).toBe(0.5);
    expect(metLater.find(({ id }) => id === 'w')?.score).toBe(1.5);
  });

  it('counts of the words what a row has of their weight', () => {
    const worded = [
      { id: 'all', similarity: null, terms: [0, 1] },
      { id: 'rare', similarity: null, terms: [0] },
      { id: 'common', similarity: null, terms: [1] },
    ];

    const found = fuseLegs({ near: [], worded, shares: [0.75, 0.25] }, both);

    expect(found).toEqual([
      { id: 'all', score: 1.5 },
      { id: 'rare', score: 1.125 },
      { id: 'common', score: 0.375 },
    ]);
  });

  it('leaves out a leg that weighs nothing, and keeps the order of equal scores', () => {
    const worded = [
      { id: 'n3', similarity: 0.87, terms: [0] },
      { id: 'w', similarity: 0.1, terms: [0] },
    ];

    expect(idsOf(fuseLegs({ near, worded, shares: [1] }, { semantic: 1, keyword: 0 }))).toEqual(idsOf(near));
    expect(idsOf(fuseLegs({ near, worded, shares: [1] }, { semantic: 0, keyword: 2 }))).toEqual(['n3', 'w']);
    expect(fuseLegs({ near: near.slice(0, 1), worded: [], shares: [] }, both)).toEqual([
      { id: 'n0', score: 1 },
    ]);
  });
});
