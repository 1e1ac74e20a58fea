import fc from 'fast-check';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { ServiceRefusal } from '../../lib/core/service-refusal.ts';
import type { SearchAnswer, SearchCaller, SearchRequest } from '../../lib/ports/search.ts';
import { openSearched } from '../database/open-searched.ts';
import { dropRoles, openTestDatabase } from '../database/open-test-database.ts';

const REQUESTS = 5000;
/** Ten times what they take on two idle cores. */
const FUZZ_MS = 300_000;
const ROWS = 60;
const ROLE = 'freshet_test_searcher';

let db: SqlDatabase;
beforeEach(async () => {
  db = await openTestDatabase();
});
afterEach(async () => {
  await dropRoles(db, [ROLE]);
  await db.close();
});

/** Rows with an even id are of tenant `a`, the others of `b`. */
const isOf = (tenant: string, id: string) => (Number(id) % 2 === 0) === (tenant === 'a');

const clientOf = (tenant: string): SearchCaller => ({ kind: 'client', tenant, claims: { org: tenant } });

const text = fc.constantFrom('a', 'b', "' OR true --", '%', 'note 1', '{"a":1}', '1; SELECT 1', '\\', '');
/** Half of the conditions are of no search: unknown columns and operators, SQL in every field. */
const wildLeaf = fc.record({
  type: fc.constantFrom('eq', 'ne', 'gt', 'like', 'in', 'is_null', 'exists'),
  key: fc.constantFrom('price', 'title', 'mood', 'tenant', 'id', '"tenant"', 's.tenant', 'price) OR (1=1'),
  value: fc.oneof(text, fc.integer(), fc.boolean(), fc.array(fc.oneof(text, fc.integer()), { maxLength: 3 })),
});
const leaf = fc.oneof(
  fc.record({
    type: fc.constantFrom('eq', 'ne', 'gt', 'gte', 'lt', 'lte'),
    key: fc.constant('price'),
    value: fc.integer({ min: 0, max: ROWS }),
  }),
  fc.record({ type: fc.constantFrom('like', 'ne', 'gte'), key: fc.constant('title'), value: text }),
  fc.record({
    type: fc.constantFrom('in', 'nin'),
    key: fc.constant('mood'),
    value: fc.constant(['calm', 'wild']),
  }),
  { arbitrary: wildLeaf, weight: 1 },
);
const filter = fc.letrec(tie => ({
  node: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.record({
      type: fc.constantFrom('and', 'or'),
      filters: fc.array(tie('node'), { minLength: 1, maxLength: 3 }),
    }),
  ),
})).node;
const asked = fc.record(
  {
    limit: fc.integer({ min: 1, max: 100 }),
    filter,
    like: fc.oneof({ arbitrary: fc.integer({ min: 0, max: ROWS + 1 }).map(String), weight: 4 }, text),
    minScore: fc.constantFrom(-1, 0, 0.9),
    diversity: fc.constantFrom(0, 0, 0.5),
    usesCursor: fc.boolean(),
  },
  { requiredKeys: ['limit'] },
);

interface Tried {
  readonly answered: number;
  readonly hits: number;
}

/** Sends random requests of two tenants, each with the cursors that the other one got, too. */
async function fuzz(
  search: (request: Partial<SearchRequest>, caller: SearchCaller) => Promise<SearchAnswer>,
): Promise<Tried> {
  const cursors: string[] = [];
  let answered = 0;
  let hits = 0;
  const property = fc.asyncProperty(
    fc.constantFrom('a', 'b'),
    asked,
    fc.nat(),
    async (tenant, { usesCursor, ...request }, place) => {
      const cursor = usesCursor && cursors.length > 0 ? cursors[place % cursors.length] : undefined;
      const found = await search({ ...request, cursor }, clientOf(tenant)).catch((error: unknown) => {
        if (error instanceof ServiceRefusal && error.status < 500) return error;
        throw error;
      });
      if (found instanceof ServiceRefusal) {
        // No row, no count and no other tenant's id stands in a refusal.
        expect(found.message).not.toMatch(/note \d|\b(a|b)\b tenant/);
        return;
      }
      answered += 1;
      hits += found.hits.length;
      if (found.next !== null) cursors.push(found.next);
      expect(found.hits.filter(({ id }) => !isOf(tenant, id))).toEqual([]);
      if ('like' in request && request.like !== undefined) expect(isOf(tenant, request.like)).toBe(true);
      expect(found.coverage_percent ?? 100).toBe(100);
    },
  );
  await fc.assert(property, { numRuns: REQUESTS });
  return { answered, hits };
}

const notes = Array.from({ length: ROWS }, (_, place) => ({
  id: place + 1,
  tenant: place % 2 === 1 ? 'a' : 'b',
  vector: [1, place / 10, (place % 7) / 10],
  mood: place % 3 === 0 ? 'wild' : 'calm',
}));

describe('ten thousand requests of two tenants', () => {
  it(
    'never show a row of the other one, by the predicate',
    async () => {
      const { write, search } = await openSearched(db);
      await write(notes);

      const { answered, hits } = await fuzz(search);

      expect(answered).toBeGreaterThan(REQUESTS / 10);
      expect(hits).toBeGreaterThan(REQUESTS);
    },
    FUZZ_MS,
  );

  it(
    'never show a row of the other one, by row-level security alone, and leave nothing on the connection',
    async () => {
      const { write, search, space } = await openSearched(db, {
        search: {
          ...{ columns: ['title'], filters: ['price', 'title', 'mood', 'made', 'tenant', 'id'] },
          ...{ role: ROLE, claims: { 'app.tenant': 'org' } },
        },
        setUp: `CREATE ROLE ${ROLE} NOLOGIN;
        ALTER TABLE public.notes ENABLE ROW LEVEL SECURITY; ALTER TABLE public.notes FORCE ROW LEVEL SECURITY;
        CREATE POLICY own ON public.notes TO ${ROLE} USING (tenant = current_setting('app.tenant'));
        GRANT SELECT ON public.notes TO ${ROLE}; GRANT USAGE ON SCHEMA freshet, app TO ${ROLE};`,
      });
      await sql`GRANT SELECT ON ${sql.id('freshet', space.vectorTable)} TO ${sql.id(ROLE)}`.execute(
        db.kysely,
      );
      await write(notes);

      const { answered, hits } = await fuzz(search);

      expect(answered).toBeGreaterThan(REQUESTS / 10);
      expect(hits).toBeGreaterThan(REQUESTS);
      const left = await Promise.all(
        Array.from({ length: 4 }, () =>
          sql`SELECT current_user = session_user AS own, coalesce(current_setting('app.tenant', true), '') AS tenant,
                   pg_sleep(0.05) IS NULL AS slept`.execute(db.kysely),
        ),
      );
      for (const { rows } of left) expect(rows).toMatchObject([{ own: true, tenant: '' }]);
      await expect(search({}, { kind: 'client', claims: {} })).rejects.toMatchObject({ code: 'forbidden' });
    },
    FUZZ_MS,
  );
});

describe('a table with row-level security', () => {
  it('is refused to clients where no role is named', async () => {
    const { write, search } = await openSearched(db, {
      setUp: 'ALTER TABLE public.notes ENABLE ROW LEVEL SECURITY',
    });
    await write([{ id: 1 }]);

    await expect(search({}, clientOf('a'))).rejects.toMatchObject({ code: 'forbidden' });
    expect((await search({}, { kind: 'operator' })).hits).toHaveLength(1);
  });

  it('is refused with a role that no policy binds', async () => {
    const opened = openSearched(db, {
      search: { role: ROLE },
      setUp: `CREATE ROLE ${ROLE} NOLOGIN BYPASSRLS`,
    });

    await expect((await opened).search({})).rejects.toThrow(/bypasses row-level security/);
  });
});
