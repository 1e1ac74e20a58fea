import { buyVectors, type Purchase } from '../../lib/pipeline/embed/buy-vectors.ts';
import { makeSpace } from '../factories/space.ts';
import type { World } from '../factories/world.ts';

/** What the embed step buys of a batch of these texts, no two alike. */
export function buyTexts(world: World, texts: readonly string[]): Promise<Purchase> {
  const unique = texts.map(text => ({ text, contentHash: text, rows: [] }));
  return buyVectors(world.embedPorts, makeSpace(), 'bulk', unique, () => 600_000);
}
