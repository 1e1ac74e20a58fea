import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { scramVerifier } from '../../lib/adapters/postgres/login.ts';

/** The exchange of RFC 7677, section 3: password `pencil`, 4096 iterations. */
const SALT = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64');
const AUTH_MESSAGE =
  'n=user,r=rOprNGfwEbeRWgbNEkqO,' +
  'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,' +
  'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0';
const SERVER_SIGNATURE = '6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=';

test('the verifier of a password holds the server key of the RFC, under the salt that it names', () => {
  const [, salt, serverKey] = /^SCRAM-SHA-256\$4096:([^$]+)\$[^:]+:(.+)$/.exec(
    scramVerifier('pencil', SALT),
  )!;
  const signature = createHmac('sha256', Buffer.from(serverKey!, 'base64')).update(AUTH_MESSAGE);

  expect(salt).toBe(SALT.toString('base64'));
  expect(signature.digest('base64')).toBe(SERVER_SIGNATURE);
});

test('each verifier has a salt of its own', () => {
  expect(scramVerifier('pencil')).not.toBe(scramVerifier('pencil'));
});
