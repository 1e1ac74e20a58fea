import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { inspectDatabase } from '../../lib/adapters/sql/doctor.ts';
import { createEmbeddingStore } from '../../lib/adapters/sql/embedding-store.ts';
import { ensureSpaces } from '../../lib/adapters/sql/ensure-spaces.ts';
import { openSpaces } from '../../lib/adapters/sql/open-spaces.ts';
import { createOutcomeStore } from '../../lib/adapters/sql/outcome-store.ts';
import { encodeVectorArray } from '../../lib/core/vectors.ts';
import { openSearched } from './open-searched.ts';
import { openTestDatabase } from './open-test-database.ts';

let db: SqlDatabase;
let notes: Awaited<ReturnType<typeof openSearched>>;
beforeEach(async () => {
  db = await openTestDatabase();
  notes = await openSearched(db);
});
afterEach(() => db.close());

/** Migrates as with `search.keywords` of a language; undefined: with none. */
async function keepWords(language: string | undefined) {
  const [source] = notes.config.sources;
  const keywords = language === undefined ? undefined : { language };
  const config = {
    ...notes.config,
    sources: [{ ...source!, models: ['small'], search: { filters: [], ...(keywords && { keywords }) } }],
  };
  await ensureSpaces(db, config, { mendsIndexes: true });
  return config;
}

async function readWords(): Promise<Record<string, string | null>> {
  const { rows } = await sql<{ id: string; words: string | null }>`
    SELECT item_id::text AS id, CASE WHEN keywords_read_at = read_at THEN keywords::text END AS words
      FROM ${sql.id('freshet', notes.space.vectorTable)} ORDER BY item_id`.execute(db.kysely);
  return Object.fromEntries(rows.map(({ id, words }) => [id, words]));
}

async function hasIndex(): Promise<boolean> {
  const { rows } = await sql`SELECT FROM pg_indexes WHERE schemaname = 'freshet'
    AND indexname = ${`${notes.space.vectorTable}_by_keywords`}`.execute(db.kysely);
  return rows.length > 0;
}

describe('words of a source', () => {
  it('are made by migrate for rows that have a vector of their present text, and by no call', async () => {
    await notes.write([
      { id: 1, title: 'Running dogs' },
      { id: 2, title: 'a cat' },
    ]);
    await sql`UPDATE public.notes SET title = 'edited' WHERE id = 2`.execute(db.kysely);

    await keepWords('english');

    expect(await readWords()).toEqual({ 1: "'dog':2 'run':1", 2: null });
    expect(await hasIndex()).toBe(true);
  });

  it('are not there until the configuration names a language, and go with it', async () => {
    await notes.write([{ id: 1, title: 'Running dogs' }]);
    await expect(readWords()).rejects.toMatchObject({ code: 'sqlstate_42703' });
    await keepWords('english');

    await keepWords(undefined);

    expect(await readWords()).toEqual({ 1: null });
    expect(await hasIndex()).toBe(false);
  });

  it('are made anew in another language', async () => {
    await notes.write([{ id: 1, title: 'Running dogs' }]);
    await keepWords('english');

    await keepWords('simple');

    expect(await readWords()).toEqual({ 1: "'dogs':2 'running':1" });
    expect(await hasIndex()).toBe(true);
  });

  it('go on being made after a migrate that was killed', async () => {
    await notes.write([
      { id: 1, title: 'one' },
      { id: 2, title: 'two' },
    ]);
    await keepWords('simple');
    const vectors = sql.id('freshet', notes.space.vectorTable);
    await sql`UPDATE ${vectors} SET keywords = NULL, keywords_read_at = NULL WHERE item_id = 2`.execute(
      db.kysely,
    );
    await sql`COMMENT ON COLUMN ${vectors}.keywords IS 'filling simple'`.execute(db.kysely);

    await keepWords('simple');

    expect(await readWords()).toEqual({ 1: "'one':1", 2: "'two':1" });
  });

  it.each([
    ['was dropped', (index: string) => `DROP INDEX freshet.${index}`],
    [
      'is left invalid',
      (index: string) =>
        `UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'freshet.${index}'::regclass`,
    ],
  ])('get their index again from the next migrate where it %s, and doctor says so', async (_, breakIndex) => {
    await notes.write([{ id: 1, title: 'one' }]);
    const config = await keepWords('simple');
    const readFinding = async () =>
      (await inspectDatabase(db, config)).find(({ check }) => check === 'keyword-index');
    expect(await readFinding()).toMatchObject({ ok: true });
    await sql.raw(breakIndex(`${notes.space.vectorTable}_by_keywords`)).execute(db.kysely);
    expect(await readFinding()).toMatchObject({ ok: false, statement: 'npm run freshet -- migrate' });

    await keepWords('simple');

    expect(await readFinding()).toMatchObject({ ok: true });
    expect(await readWords()).toEqual({ 1: "'one':1" });
  });

  it('ask for migrate where the table has no place for them, and for a language that is there', async () => {
    const [source] = notes.config.sources;
    const search = { filters: [], keywords: { language: 'english' } };
    const config = { ...notes.config, sources: [{ ...source!, search }] };

    await expect(openSpaces(db, config)).rejects.toThrow(/search\.keywords is new/);
    await expect(keepWords('englisch')).rejects.toThrow(/no text search configuration "englisch".*english/);
  });

  it('are of the first 256 KiB, cut between characters: more than that would raise', async () => {
    await keepWords('simple');
    const make = async (text: string) => {
      const { rows } = await sql<{ words: number | null; last: boolean }>`
        SELECT length(made) AS words, made @@ 'last'::tsquery AS last
          FROM (SELECT freshet.to_keywords('simple', ${text}) AS made) AS m`.execute(db.kysely);
      return rows[0];
    };

    expect(await make('a last')).toEqual({ words: 2, last: true });
    expect(await make(`${'ż '.repeat(100_000)}last`)).toEqual({ words: 1, last: false });
    expect(await make(`${'x'.repeat(262_143)}ż`)).toEqual({ words: 0, last: false });
    // A whole text of this length would raise, and take its row's vector with it.
    const long = Array.from({ length: 200_000 }, (_, n) => `word${n}`).join(' ');
    expect(await make(long)).toEqual({ words: expect.any(Number), last: false });
    await expect(sql`SELECT to_tsvector('simple', ${long})`.execute(db.kysely)).rejects.toMatchObject({
      code: 'sqlstate_54000',
    });
  });
});

describe('the writer', () => {
  it('sets the words again where a touch meets the version that was read, and takes them where it does not', async () => {
    await notes.write([{ id: 1, title: 'one' }]);
    const config = await keepWords('simple');
    const [space] = await (await openSpaces(db, config)).list();
    const outcomes = createOutcomeStore(db);
    const hash = '00'.repeat(32);
    await sql`UPDATE ${sql.id('freshet', notes.space.vectorTable)} SET content_hash = decode(${hash}, 'hex')`.execute(
      db.kysely,
    );
    const touch = async (change: () => Promise<unknown>) => {
      const [reading] = await createEmbeddingStore(db).readRows(space!, ['1'], 1000);
      const { id, version, xid, readAt } = reading!;
      await change();
      const written = await outcomes.writeResult(space!, {
        ...{ spaceId: space!.spaceId, dispatchId: randomUUID(), lane: 'fresh', runId: null, dimensions: 3 },
        ...{ calls: [], outcomes: [], copies: [], verdicts: [] },
        touches: [{ id, version, xid, readAt, contentHash: hash }],
        vectors: encodeVectorArray([], 3),
      });
      expect(written.touched).toBe(1);
      return (await readWords())[1];
    };
    const edit = (title: string) =>
      sql`UPDATE public.notes SET title = ${title} WHERE id = 1`.execute(db.kysely);

    await edit('two');
    expect(await touch(async () => {})).toBe("'two':1");
    expect(await touch(() => edit('three'))).toBeNull();
    expect(await touch(async () => {})).toBe("'three':1");
  });
});
