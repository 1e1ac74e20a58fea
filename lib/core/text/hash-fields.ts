import { hash } from 'node:crypto';

/**
 * SHA-256 in hexadecimal over fields, each preceded by its length in bytes.
 * The lengths keep two different lists of well-formed fields from reading alike.
 */
export function hashFields(fields: readonly string[]): string {
  return hash('sha256', fields.map(field => `${Buffer.byteLength(field)}:${field}`).join(''), 'hex');
}
