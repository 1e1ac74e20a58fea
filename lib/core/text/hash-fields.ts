import { hash } from 'node:crypto';

/** SHA-256, hexadecimal, over fields that are each preceded by their length in bytes: no two lists of well-formed fields read alike. */
export function hashFields(fields: readonly string[]): string {
  return hash('sha256', fields.map(field => `${Buffer.byteLength(field)}:${field}`).join(''), 'hex');
}
