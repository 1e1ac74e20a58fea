import { hash } from 'node:crypto';

/** SHA-256 in hexadecimal. */
export function sha256Hex(content: Buffer | string): string {
  return hash('sha256', content, 'hex');
}
