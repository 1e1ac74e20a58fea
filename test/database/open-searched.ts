import { sql } from 'kysely';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { ensureSpaces } from '../../lib/adapters/sql/ensure-spaces.ts';
import { createSearchStore } from '../../lib/adapters/sql/search-store.ts';
import { createSystemClock } from '../../lib/adapters/system.ts';
import { suggestNearest } from '../../lib/core/config/describe-issues.ts';
import { searchSection } from '../../lib/core/config/search-schema.ts';
import type { Space } from '../../lib/core/model.ts';
import { rememberCoverage } from '../../lib/pipeline/search/coverage-memory.ts';
import { createSearchService } from '../../lib/pipeline/search/search-rows.ts';
import type { Clock } from '../../lib/ports/process.ts';
import type { Reranker } from '../../lib/ports/reranker.ts';
import type { SearchCaller, SearchRequest } from '../../lib/ports/search.ts';
import { buildConfig, buildModel, buildSourceConfig } from '../factories/pipeline-config.ts';

export interface Note {
  readonly id: number;
  readonly title?: string;
  readonly tenant?: string;
  readonly price?: number | null;
  readonly mood?: string;
  readonly vector?: readonly number[];
}

export const operator: SearchCaller = { kind: 'operator' };
export const clientOf = (tenant: string): SearchCaller => ({ kind: 'client', tenant, claims: { tenant } });

/** Opens the search over a table `notes`, whose vectors the test writes itself. */
export async function openSearched(
  db: SqlDatabase,
  options: {
    readonly search?: Parameters<typeof searchSection.parse>[0];
    readonly dimensions?: number;
    readonly storage?: 'halfvec';
    readonly setUp?: string;
    readonly rerankers?: ReadonlyMap<string, Reranker>;
    readonly clock?: Clock;
  } = {},
) {
  await sql`CREATE SCHEMA app`.execute(db.kysely);
  await sql`CREATE TYPE app.mood AS ENUM ('calm', 'wild')`.execute(db.kysely);
  await sql`CREATE TABLE public.notes (id bigint PRIMARY KEY, title text, tenant text, price integer,
    mood app.mood, code character varying(4), made timestamptz DEFAULT '2026-01-01T00:00:00Z', big numeric DEFAULT 9007199254740993,
    updated_at timestamptz NOT NULL DEFAULT now())`.execute(db.kysely);
  const statements = (options.setUp ?? '').split(';').filter(each => each.trim() !== '');
  for (const statement of statements) await sql.raw(statement).execute(db.kysely);
  const models = [
    buildModel({ dimensions: options.dimensions ?? 3 }),
    buildModel({ alias: 'other', modelId: 'hash-2', dimensions: options.dimensions ?? 3 }),
  ];
  const search = searchSection.parse(
    options.search ?? {
      columns: ['title', 'price', 'big'],
      filters: ['price', 'mood', 'code', 'made', 'title'],
      tenant: 'tenant',
    },
  );
  const text = { columns: ['title'] };
  const { storage } = options;
  const source = { name: 'notes', table: 'notes', text, models: ['small', 'other'], search, storage };
  const config = buildConfig([buildSourceConfig(source)], models);
  const spaces = await ensureSpaces(db, config);
  const space = spaces.find(({ status }) => status === 'active')!;
  const clock = options.clock ?? createSystemClock();
  const store = createSearchStore(db, config, clock);
  const service = createSearchService({
    ...{ store, clock, suggest: suggestNearest, cursorKey: Buffer.from('a key') },
    rerankers: options.rerankers ?? new Map(),
    readCoverage: rememberCoverage(store, clock, 5000),
    embedQuery: async () => Buffer.from(new Float32Array([1, 0, 0]).buffer),
  });
  const signal = new AbortController().signal;
  const toRequest = (asked: Partial<SearchRequest>): SearchRequest => ({
    ...{ source: 'notes', limit: 10, mode: 'semantic' as const },
    ...(asked.query === undefined && asked.like === undefined && { vector: [1, 0, 0] }),
    ...asked,
  });
  return {
    ...{ space, spaces, config, store, service },
    /** Lets no autovacuum change the statistics that a test has made. Indexes are built before: then they may count rows. */
    async keepStatistics(): Promise<void> {
      await sql`ALTER TABLE public.notes SET (autovacuum_enabled = off)`.execute(db.kysely);
      for (const { vectorTable } of spaces)
        await sql`ALTER TABLE ${sql.id('freshet', vectorTable)} SET (autovacuum_enabled = off)`.execute(
          db.kysely,
        );
    },
    search: (asked: Partial<SearchRequest>, caller: SearchCaller = operator) =>
      service.search(toRequest(asked), caller, signal),
    explain: (asked: Partial<SearchRequest>, caller: SearchCaller = operator) =>
      service.explain(toRequest(asked), caller, signal),
    write: (notes: readonly Note[]) => writeNotes(db, space, notes),
  };
}

/** Writes rows with their vectors, as a run has written them. */
export async function writeNotes(db: SqlDatabase, space: Space, notes: readonly Note[]): Promise<void> {
  const rows = JSON.stringify(
    notes.map(({ id, title = `note ${id}`, tenant = 'a', price = id, mood = 'calm', vector }) => ({
      ...{ id, title, tenant, price, mood },
      vector: JSON.stringify(vector ?? [1, id / 100, 0]),
    })),
  );
  await sql`INSERT INTO public.notes (id, title, tenant, price, mood)
    SELECT id, title, tenant, price, mood
      FROM jsonb_to_recordset(${rows}::jsonb) AS n (id bigint, title text, tenant text, price integer, mood app.mood)`.execute(
    db.kysely,
  );
  await sql`INSERT INTO ${sql.id('freshet', space.vectorTable)}
      (item_id, outcome, source_version, source_xid, read_at, embedding, embedded_at)
    SELECT s.id, 'embedded', s.updated_at, s.xmin, now(), n.vector::vector, now()
      FROM jsonb_to_recordset(${rows}::jsonb) AS n (id bigint, vector text)
      JOIN public.notes AS s ON s.id = n.id`.execute(db.kysely);
  if (space.source.keywordLanguage === undefined) return;
  await sql`UPDATE ${sql.id('freshet', space.vectorTable)} AS v SET keywords_read_at = v.read_at,
      keywords = freshet.to_keywords(${space.source.keywordLanguage}::text::regconfig, s.title)
     FROM public.notes AS s WHERE s.id = v.item_id`.execute(db.kysely);
}
