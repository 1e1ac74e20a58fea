import { hashFields } from './hash-fields.ts';
import { RECIPE_VERSION } from './recipe-version.ts';

const DOMAIN = ['freshet-text', String(RECIPE_VERSION)];

/**
 * The content hash of a prepared text: SHA-256 in hexadecimal.
 * Within a space, equal hashes mean the same vector.
 */
export function fingerprintText(text: string): string {
  return hashFields([...DOMAIN, text]);
}
