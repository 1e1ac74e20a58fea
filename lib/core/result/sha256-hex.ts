import { hash } from 'node:crypto';

/** SHA-256 of a text's UTF-8 bytes or of a buffer, in hexadecimal. */
export function sha256Hex(content: Buffer | string): string {
  return hash('sha256', content, 'hex');
}
