import { createHash, createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import { ServiceRefusal } from './service-refusal.ts';

/** Where a page of hits ended. */
interface CursorPosition {
  readonly space: number;
  readonly distance: number;
  readonly id: string;
  /** Hits of this page and of those before. */
  readonly hits: number;
}

/** Key of the codes in cursors; as a `KeyObject` it is taken apart once, not for each code. */
export type CursorKey = KeyObject | Buffer;

/** Hits that can be paged through; whoever needs more asks a narrower question. */
export const DEEPEST_HIT = 1000;
const MAC_BYTES = 32;
/** Longer cursors are refused unread. */
const MAX_CURSOR_LENGTH = 4096;

/**
 * Hashes what a search asks for and who asks, so that a cursor belongs to one search alone.
 * @param parts values that JSON can hold, in a fixed order
 */
export function hashSearch(parts: readonly unknown[]): Buffer {
  return createHash('sha256').update(JSON.stringify(parts)).digest();
}

/** Writes a cursor: the position, under a code that only `key` makes for this search. */
export function sealCursor(key: CursorKey, search: Buffer, position: CursorPosition): string {
  const { space, distance, id, hits } = position;
  const payload = Buffer.from(JSON.stringify([space, distance, id, hits]));
  return Buffer.concat([sign(key, search, payload), payload]).toString('base64url');
}

/**
 * Reads a cursor of the same search.
 * @throws ServiceRefusal `invalid_request` for one of another search, caller or service
 */
export function openCursor(key: CursorKey, search: Buffer, cursor: string): CursorPosition {
  const bytes = Buffer.from(cursor.slice(0, MAX_CURSOR_LENGTH), 'base64url');
  const payload = bytes.subarray(MAC_BYTES);
  const isOurs =
    bytes.length > MAC_BYTES && timingSafeEqual(bytes.subarray(0, MAC_BYTES), sign(key, search, payload));
  if (!isOurs)
    throw new ServiceRefusal(
      'invalid_request',
      'cursor: belongs to another search, or the service began anew: ask for the first page again.',
      { param: 'cursor' },
    );
  const [space, distance, id, hits] = JSON.parse(payload.toString()) as [number, number, string, number];
  return { space, distance, id, hits };
}

function sign(key: CursorKey, search: Buffer, payload: Buffer): Buffer {
  return createHmac('sha256', key).update(search).update(payload).digest();
}
