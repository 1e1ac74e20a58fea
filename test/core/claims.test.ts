import { expect, test } from 'vitest';
import { pickClaims, readClaim, readClaimText } from '../../lib/core/claims.ts';

const claims = {
  tenant: 'a',
  app: { org: { id: 7 } },
  'https://x.example/tenant': 'b',
  list: ['a'],
  empty: '',
};

test('a claim is read by its name, and by a path where no name is equal', () => {
  expect(readClaim(claims, 'tenant')).toBe('a');
  expect(readClaim(claims, 'app.org.id')).toBe(7);
  expect(readClaim(claims, 'https://x.example/tenant')).toBe('b');
  for (const path of ['app.org.none', 'tenant.length', '__proto__', 'constructor.name'])
    expect(readClaim(claims, path), path).toBeUndefined();
});

test('only a text or a whole number names somebody', () => {
  expect(pickClaims(claims, ['tenant', 'app.org.id', 'list', 'app', 'empty', 'none'])).toEqual([
    ...['a', '7', null, null, null, null],
  ]);
  expect(readClaimText({ tenant: 'a\0' }, 'tenant')).toBeUndefined();
  expect(readClaimText({ tenant: true }, 'tenant')).toBeUndefined();
  expect(JSON.parse(readClaimText(claims, '*')!)).toEqual(claims);
});
