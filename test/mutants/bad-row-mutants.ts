// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the patches quote templates of the source.
import type { Mutant } from './mutant.ts';

const MUTANTS: readonly Omit<Mutant, 'dies'>[] = [
  {
    name: 'commit-between-halves',
    removes: 'writing the halves of an object in the one transaction that holds its ledger rows',
    file: 'lib/adapters/sql/divide-rows.ts',
    suite: 'test/database/one-bad-row.test.ts',
    changes: [['sql`RELEASE SAVEPOINT part`', 'sql`COMMIT AND CHAIN`']],
  },
  {
    name: 'savepoint-kept-on-failure',
    removes: 'undoing the half that failed before the next one is written',
    file: 'lib/adapters/sql/divide-rows.ts',
    suite: 'test/database/one-bad-row.test.ts',
    changes: [['sql`ROLLBACK TO SAVEPOINT part`', 'sql`SELECT 1`']],
  },
  {
    name: 'every-row-condemned',
    removes: 'blaming no row where the database refuses every one',
    file: 'lib/adapters/sql/divide-rows.ts',
    suite: 'test/database/one-bad-row.test.ts',
    changes: [['if (first && items.length > 1 && done === 0)', 'if (first && items.length === 0)']],
  },
  {
    name: 'halved-without-end',
    removes: 'the budget of statements for taking rows apart',
    file: 'lib/adapters/sql/divide-rows.ts',
    suite: 'test/database/one-bad-look.test.ts',
    changes: [['return 2 + 16 * ', 'return 2000 + 16 * ']],
  },
  {
    name: 'look-not-taken-apart',
    removes: 'taking a range of keys apart where looking at one row fails',
    file: 'lib/adapters/sql/divide-range.ts',
    suite: 'test/database/one-bad-look.test.ts',
    changes: [['if (!mayBeOfOneRow(error)) throw error;', 'throw error as FreshetError;']],
  },
  {
    name: 'orphans-counted-in-parts',
    removes: 'counting the missing rows of the whole slice where they are removed in parts',
    file: 'lib/adapters/sql/orphans.ts',
    suite: 'test/database/one-bad-look.test.ts',
    changes: [['await removeWithin(db, space, slice, part)', 'await removeWithin(db, space, part, part)']],
  },
  {
    name: 'texts-hashed-again',
    removes: 'leaving the texts alone of a row that could not be read',
    file: 'lib/adapters/sql/quote-space.ts',
    suite: 'test/database/one-bad-look.test.ts',
    changes: [['v.outcome LIKE ${sql.lit(`${UNREADABLE}%`)} THEN', 'false THEN']],
  },
  {
    name: 'deadlock-condemns-a-row',
    removes: 'telling what concerns every row from what one row can cause',
    file: 'lib/adapters/sql/divide-rows.ts',
    suite: 'test/database/one-bad-row.test.ts',
    changes: [['2F|38|39|42|44', '2F|38|39|40|42|44']],
  },
  {
    name: 'doubled-key-keeps-its-lease',
    removes: 'ending the lease of a key that stands twice',
    file: 'lib/adapters/sql/lease-stages.ts',
    suite: 'test/database/one-bad-row.test.ts',
    changes: [[' OR ${isDoubled}, false))', ', false))']],
  },
  {
    name: 'doubled-key-counted-by-index',
    removes: 'counting the rows of a key that stands twice from the table itself',
    file: 'lib/adapters/sql/quote-space.ts',
    suite: 'test/database/one-bad-row.test.ts',
    changes: [['count(d.row) > 1', 'count(*) > 1']],
  },
  {
    name: 'doubled-key-looked-at-always',
    removes: 'leaving a key that stands twice to the reconcile pass',
    file: 'lib/adapters/sql/lease-changed-rows.ts',
    suite: 'test/database/one-bad-row.test.ts',
    changes: [[' AND NOT ${isDoubled}))', '))']],
  },
];

export const BAD_ROW_MUTANTS: readonly Mutant[] = MUTANTS.map(mutant => ({ ...mutant, dies: 'bad-row' }));
