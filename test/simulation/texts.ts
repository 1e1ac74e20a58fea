import { fingerprintText, prepareText } from '../../lib/core/text.ts';
import { makeSource } from '../factories/space.ts';
import type { World } from './world.ts';

/** Stands in every text of a row, and must stand nowhere else. */
export const CANARY = 'canary:';
const SOURCE = makeSource();

export const isRefused = (text: string): boolean => text.includes('refused');
/** Refused by what stands before the provider: every other text that is refused. */
export const isBlocked = (text: string): boolean => isRefused(text) && text.endsWith('1');
/** The provider knows no word of it: it has no vector, and nothing failed. */
export const isUnknown = (text: string): boolean => text === `${CANARY}plain 7`;
/** Answered with a 500 whenever it is in the batch. */
export const isFailing = (text: string): boolean => isRefused(text) && text.endsWith('2');
export const isKiller = (text: string): boolean => text.includes('killer');

/** Few texts, so that rows share them, return to them and lose them. */
export function drawText(world: World): string | null {
  const { random, faults } = world;
  if (random.chance(0.06)) return random.pick([null, '', '  ']);
  const kind = random.chance(faults.refusedTexts)
    ? 'refused'
    : random.chance(faults.killerTexts)
      ? 'killer'
      : 'plain';
  return `${CANARY}${kind} ${random.below(kind === 'plain' ? 12 : kind === 'refused' ? 3 : 2)}`;
}

/** By the text as it stands in the row. */
const hashes = new Map<string | null, string>();

/** The content hash that the pipeline must come to; undefined: the row has no text to embed. */
export function hashOf(text: string | null): string {
  let hash = hashes.get(text);
  if (hash === undefined) {
    const prepared = prepareText([text], SOURCE);
    hash = fingerprintText(prepared);
    hashes.set(text, hash);
    preparedByHash.set(hash, prepared);
  }
  return hash;
}

const preparedByHash = new Map<string, string>();

export const preparedOf = (hash: string): string | undefined => preparedByHash.get(hash);
