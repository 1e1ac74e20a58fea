import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';

/** Number of hash iterations, the same that PostgreSQL takes by default. */
const ITERATIONS = 4096;
const BYTES = 32;
const SALT_BYTES = 16;

/**
 * Computes the SCRAM-SHA-256 verifier that PostgreSQL stores for a password.
 * With the verifier, the password itself is in no statement and no server log. The password must be
 * ASCII, which SASLprep leaves as it is. The formula is in RFC 5802, section 3; RFC 7677 gives the
 * hash.
 */
export function scramVerifier(password: string, salt = randomBytes(SALT_BYTES)): string {
  const salted = pbkdf2Sync(password, salt, ITERATIONS, BYTES, 'sha256');
  const keyOf = (label: string) => createHmac('sha256', salted).update(label).digest();
  const storedKey = createHash('sha256').update(keyOf('Client Key')).digest('base64');
  const serverKey = keyOf('Server Key').toString('base64');
  return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString('base64')}$${storedKey}:${serverKey}`;
}
