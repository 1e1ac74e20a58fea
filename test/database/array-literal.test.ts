import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { arrayLiteral } from '../../lib/adapters/sql/fragments.ts';
import { openTestDatabase } from './open-test-database.ts';

let db: SqlDatabase;
beforeAll(async () => {
  db = await openTestDatabase({ migrated: false });
});
afterAll(() => db.close());

/** What array input gives a meaning to, what looks like it, and what `pg` and PGlite have to encode. */
const letter = fc.constantFrom(
  ...' \t\n\r\v\f,;{}[]()="\'\\',
  ...'nNuUlL',
  ...'aZ09_-+:./%$',
  '\u00a0',
  'é',
  '漢',
  '🌊',
);
const text = fc.oneof(
  fc.string({ unit: letter, maxLength: 8 }),
  fc.constantFrom('null', 'NULL', 'Null', 'nulls', '', ' ', '2026-11-21 19:15:32.100001+00', '-infinity'),
);

describe('the literal of an array', () => {
  it('is read by the database as the list that it was made of', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.option(text), { maxLength: 20 }), async values => {
        const { rows } = await sql<{ list: (string | null)[] }>`
          SELECT coalesce(to_json(${arrayLiteral(values)}::text[]), '[]') AS list`.execute(db.kysely);

        expect(rows[0]?.list).toEqual(values);
      }),
      { numRuns: 500 },
    );
  });

  it('holds numbers as the database reads them', async () => {
    const values = [0, -1, 2.5, 1e-7, 1e21, Number.MAX_SAFE_INTEGER, null];

    const { rows } = await sql<{ list: (number | null)[] }>`
      SELECT to_json(${arrayLiteral(values)}::float8[]) AS list`.execute(db.kysely);

    expect(rows[0]?.list).toEqual(values);
  });

  it('quotes no element that the database reads without quotes', () => {
    const plain = ['17', 'embedded', '2026-11-21 19:15:32.100001+00', '550e8400-e29b-41d4-a716-446655440000'];

    expect(arrayLiteral(plain)).toBe(`{${plain.join(',')}}`);
  });
});
