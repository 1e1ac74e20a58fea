import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createControlStore } from '../../lib/adapters/sql/control-store.ts';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { openTestDatabase } from './open-test-database.ts';

let db: SqlDatabase;
beforeEach(async () => {
  db = await openTestDatabase();
});
afterEach(() => db.close());

describe('the control store', () => {
  it('keeps reasons apart and resumes only the one that is named', async () => {
    const control = createControlStore(db);
    await control.pause('model:small', 'provider:auth', 'key refused');
    await control.pause('model:small', 'operator', '');
    await control.pause('source:ai_items', 'orphans', '12 of 20 rows');

    await control.resume('model:small', 'provider:auth');

    const left = await control.reasons();
    expect(left.map(({ scope, reason, detail }) => [scope, reason, detail])).toEqual([
      ['model:small', 'operator', ''],
      ['source:ai_items', 'orphans', '12 of 20 rows'],
    ]);
    expect(await control.reasons('model:small')).toHaveLength(1);
    expect(await control.reasons('model:other')).toEqual([]);
  });

  it('keeps the beginning of a pause that is renewed', async () => {
    const control = createControlStore(db);
    await control.pause('pipeline', 'database', 'first');
    const [first] = await control.reasons('pipeline');

    await control.pause('pipeline', 'database', 'second');

    expect(await control.reasons('pipeline')).toEqual([{ ...first, detail: 'second' }]);
  });

  it('resumes what was never paused without complaint', async () => {
    await createControlStore(db).resume('pipeline', 'operator');
  });
});
