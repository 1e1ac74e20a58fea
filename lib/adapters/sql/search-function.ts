import { type Kysely, sql, type Transaction } from 'kysely';
import { searchFunctionOf } from '../../core/config/source-rules.ts';
import type { Space } from '../../core/model.ts';
import { cosineOperatorClass } from '../../core/vectors.ts';
import { GRANTEE } from './drop-view.ts';
import { quoteName } from './fragments.ts';
import type { FreshetTables } from './freshet-tables.ts';
import { EF_PER_HIT, efBoundsOf, exactRowsOf } from './search-predicate.ts';

const COMMENT = 'Search that Freshet keeps; made anew with the view of the source.';
/** As many hits as a person may ask for. */
const MOST_ROWS = 1000;
/**
 * Tables of so many times the rows that are compared are not counted at each call.
 * Statistics may be wrong by the rows of the last minutes. Who then walks an index of few rows is
 * told so, and where too few are found every row is compared after all.
 */
const SURELY_MANY = 4;
const ARGUMENTS = ['query', 'max_rows', 'min_score'];
const OWN_NAMES = [...ARGUMENTS, 'score', 'exact'];

/**
 * Makes the function by which applications search in SQL, unless it is right already.
 * It runs with the rights of its caller, so that policies of the source decide what is seen, and
 * takes no tenant: whoever writes SQL could name any. Its body is a text, which PostgreSQL reads
 * when it is called: a parsed body would stand in the way of the application's own migrations.
 * Exact or not is decided by counting, as `search-store.ts` does, and by statistics where nothing
 * narrows the rows, both tables are far larger, and the index is valid.
 * A function whose arguments or results change is dropped first, and gets its rights again.
 * A function of that name that Freshet did not make is left alone, and `doctor` says so.
 */
export async function replaceSearchFunction(
  transaction: Transaction<FreshetTables>,
  schema: string,
  space: Space,
): Promise<void> {
  const name = searchFunctionOf(space.source.name);
  const existing = await findFunctions(transaction, schema, name);
  if (existing.some(({ ours }) => !ours)) return;
  const extension = await readVectorSchema(transaction);
  const body = renderBody(schema, space, extension);
  const [current, ...others] = existing;
  if (current?.body === body && others.length === 0) return;
  const shape = body.split('\n')[1];
  const other = existing.filter(({ body: former }) => former.split('\n')[1] !== shape);
  for (const { signature } of other) await sql.raw(`DROP FUNCTION ${signature}`).execute(transaction);
  const type = `${quoteName(extension)}.${storageOf(space)}`;
  const made = quoteName(schema, name);
  await sql
    .raw(
      `CREATE OR REPLACE FUNCTION ${made}
         (query ${type}, max_rows integer DEFAULT 10, min_score double precision DEFAULT -1)
       RETURNS TABLE (${listOutput(space)}, score double precision, exact boolean)
       LANGUAGE plpgsql STABLE SECURITY INVOKER
       SET jit = off SET plan_cache_mode = force_custom_plan
       AS ${quoteLiteral(body)}`,
    )
    .execute(transaction);
  const signature = `${made}(${type}, integer, double precision)`;
  await sql.raw(`COMMENT ON FUNCTION ${signature} IS ${quoteLiteral(COMMENT)}`).execute(transaction);
  // Whoever may execute is a list only where somebody changed it: else it is everybody.
  const rights = other.flatMap(({ grantees }) => grantees ?? []);
  if (other.some(({ grantees }) => grantees !== null))
    await sql.raw(`REVOKE ALL ON FUNCTION ${signature} FROM PUBLIC`).execute(transaction);
  for (const grantee of rights)
    await sql.raw(`GRANT EXECUTE ON FUNCTION ${signature} TO ${grantee}`).execute(transaction);
}

/** Tells whether somebody else has a function of the name that the source's search would have. */
export async function isSearchFunctionTaken(
  db: Kysely<FreshetTables>,
  schema: string,
  sourceName: string,
): Promise<boolean> {
  const found = await findFunctions(db, schema, searchFunctionOf(sourceName));
  return found.some(({ ours }) => !ours);
}

/** The query has the type of the stored vectors, so that their index can be walked. */
const storageOf = ({ source }: Space) => source.storage ?? 'vector';

interface FoundFunction {
  readonly ours: boolean;
  readonly signature: string;
  readonly body: string;
  /** Who may execute it beside its owner, as GRANT ends. Null: everybody, as of a new one. */
  readonly grantees: readonly string[] | null;
}

async function findFunctions(
  db: Kysely<FreshetTables>,
  schema: string,
  name: string,
): Promise<readonly FoundFunction[]> {
  const { rows } = await sql<FoundFunction>`
    SELECT coalesce(obj_description(p.oid, 'pg_proc') = ${COMMENT}, false) AS ours,
           p.oid::regprocedure::text AS signature, p.prosrc AS body,
           CASE WHEN p.proacl IS NOT NULL THEN ARRAY(
             SELECT ${GRANTEE} FROM aclexplode(p.proacl) AS a WHERE a.grantee <> p.proowner) END AS grantees
      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
     WHERE n.nspname = ${schema} AND p.proname = ${name}
     ORDER BY p.oid`.execute(db);
  return rows;
}

async function readVectorSchema(db: Kysely<FreshetTables>): Promise<string> {
  const { rows } = await sql<{ name: string }>`
    SELECT n.nspname::text AS name FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
     WHERE e.extname = 'vector'`.execute(db);
  return rows[0]?.name ?? 'public';
}

/** Names the columns of the key as the function gives them; its own names are taken. */
function listOutput({ source }: Space): string {
  const columns = source.keyColumns.map(
    ({ name, type }) => `${quoteName(OWN_NAMES.includes(name) ? `key_${name}` : name)} ${type}`,
  );
  return columns.join(', ');
}

/**
 * Writes the body, whose second line says what the function gives.
 * Operators and types of pgvector are named with their schema, so that the caller's search path
 * stays as it is: policies may call functions that need it. A walk is told what it needs for its
 * statement alone. Where it ends with fewer rows than asked for, every row is compared after all.
 */
function renderBody(schema: string, space: Space, extension: string): string {
  const { source, model, vectorTable } = space;
  const table = quoteName(source.schema, source.table);
  const names = source.keyColumns.map(({ name }) => quoteName(name));
  const list = (alias: string) => names.map(name => `${alias}.${name}`).join(', ');
  const distance = `e.embedding OPERATOR(${quoteName(extension)}.<=>) $1`;
  const pairs = `FROM ${table} AS s JOIN ${quoteName(schema, source.name)} AS e
      ON ${names.map(name => `s.${name} = e.${name}`).join(' AND ')}`;
  const most = exactRowsOf(model, false);
  const whole = efBoundsOf(false);
  const absent = ARGUMENTS.map((name, place) => `CASE WHEN $${place + 1} IS NULL THEN '${name}' END`);
  return `
-- ${JSON.stringify([storageOf(space), listOutput(space)])}
#variable_conflict use_column
DECLARE
  narrow boolean := row_security_active(${quoteLiteral(table)}::regclass);
  few integer := CASE WHEN narrow THEN ${exactRowsOf(model, true)} ELSE ${most} END;
  many boolean := false;
  indexed boolean;
  scan text := current_setting('hnsw.iterative_scan', true);
  candidates text := current_setting('hnsw.ef_search', true);
  sorts text := current_setting('enable_sort');
BEGIN
  IF $1 IS NULL OR $2 IS NULL OR $3 IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
      MESSAGE = ${quoteLiteral(`${searchFunctionOf(source.name)}: no argument may be NULL; NULL is `)}
        || concat_ws(', ', ${absent.join(', ')}),
      HINT = 'query is a vector; max_rows and min_score may be left out.';
  END IF;
  IF $2 NOT BETWEEN 1 AND ${MOST_ROWS} THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
      MESSAGE = ${quoteLiteral(`${searchFunctionOf(source.name)}: max_rows is 1 to ${MOST_ROWS}`)};
  END IF;
  SELECT coalesce(bool_or(i.indisvalid AND i.indisready), false) INTO indexed
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_opclass o ON o.oid = i.indclass[0]
   WHERE n.nspname = 'freshet' AND c.relname = ${quoteLiteral(vectorTable)}
     AND o.opcname = ${quoteLiteral(cosineOperatorClass(source.storage))}
     AND o.opcmethod = (SELECT a.oid FROM pg_am a WHERE a.amname = 'hnsw');
  IF indexed AND NOT narrow THEN
    SELECT count(*) = 2 AND min(CASE WHEN c.relkind = 'r' AND c.relpages > 0
      THEN c.reltuples * pg_relation_size(c.oid) / current_setting('block_size')::float8 / c.relpages
      ELSE c.reltuples END) > ${SURELY_MANY} * few INTO many
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE (n.nspname = 'freshet' AND c.relname = ${quoteLiteral(vectorTable)})
        OR (n.nspname = ${quoteLiteral(source.schema)} AND c.relname = ${quoteLiteral(source.table)});
  END IF;
  IF indexed AND NOT many THEN
    SELECT count(*) > few INTO many FROM (SELECT ${pairs} LIMIT few + 1) AS c;
  END IF;
  IF indexed AND many THEN
    PERFORM set_config('hnsw.iterative_scan', 'strict_order', true),
      set_config('enable_sort', 'off', true), set_config('hnsw.ef_search',
        least(${whole.most}, greatest(CASE WHEN narrow THEN ${efBoundsOf(true).least} ELSE ${whole.least} END,
                                      $2 * ${EF_PER_HIT}))::text, true);
    RETURN QUERY
      WITH walk AS MATERIALIZED (
        SELECT ${list('e')}, ${distance} AS far ${pairs} ORDER BY ${distance} LIMIT $2)
      SELECT ${list('w')}, 1 - w.far, false FROM walk AS w
       WHERE (SELECT count(*) FROM walk) = $2 AND 1 - w.far >= $3;
    indexed := FOUND;
    PERFORM set_config('hnsw.iterative_scan', coalesce(scan, 'off'), true),
      set_config('hnsw.ef_search', coalesce(candidates, '40'), true), set_config('enable_sort', sorts, true);
    IF indexed THEN RETURN; END IF;
  END IF;
  RETURN QUERY
    WITH near AS MATERIALIZED (SELECT ${list('e')}, ${distance} AS far ${pairs})
    SELECT ${list('n')}, 1 - n.far, true FROM near AS n WHERE 1 - n.far >= $3
     ORDER BY n.far, ${list('n')} LIMIT $2;
END`;
}

const quoteLiteral = (text: string) =>
  `${text.includes('\\') ? 'E' : ''}'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
