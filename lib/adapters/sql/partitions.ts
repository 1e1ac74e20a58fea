import { type RawBuilder, sql } from 'kysely';
import type { ResolvedSource } from '../../core/model.ts';
import type { SqlDatabase } from './database.ts';
import type { KeyExpression } from './key-columns.ts';

/** A partition that is there or was there. */
interface Partition {
  readonly oid: number;
  /** The condition that its rows meet, on the columns of the source, as the server writes it. */
  readonly bounds: string;
  /** Since when it is known to be gone; null: it is there. */
  readonly goneAt: string | null;
  /** Whether it takes the rows that no other partition takes. */
  readonly isDefault: boolean;
}

/**
 * How long a partition that is gone is remembered.
 * Its vectors are removed an hour and a reconcile pass later. Where that takes longer, the rest
 * counts as missing like any other rows, and a person is asked.
 */
const REMEMBERED = '7 days';

/**
 * Notes which partitions the source has, and resolves with the condition on meant absences.
 * The condition is on a key: its row lay in a partition that was dropped or detached, and lies in
 * none that is there. Undefined: the source has no such partition.
 *
 * Every unique index of a partitioned table contains the partition key, so the bounds of a
 * partition are a condition on the key alone.
 */
export async function notePartitions(
  db: SqlDatabase,
  spaceId: number,
  source: ResolvedSource,
): Promise<MeantToBeGone | undefined> {
  if (source.relation !== 'partitioned table') return undefined;
  const found = await readPartitions(db, spaceId, source);
  if (found.partitions !== found.stored) {
    await sql`INSERT INTO freshet.positions AS p (space_id, partitions)
      VALUES (${spaceId}::int, ${found.partitions}::jsonb)
      ON CONFLICT (space_id) DO UPDATE SET partitions = excluded.partitions`.execute(db.kysely);
  }
  return toCondition(source, JSON.parse(found.partitions) as Partition[]);
}

/** Resolves with the condition of `notePartitions`, and notes nothing. */
export async function findGonePartitions(
  db: SqlDatabase,
  spaceId: number,
  source: ResolvedSource,
): Promise<MeantToBeGone | undefined> {
  if (source.relation !== 'partitioned table') return undefined;
  const { partitions } = await readPartitions(db, spaceId, source);
  return toCondition(source, JSON.parse(partitions) as Partition[]);
}

/** Renders whether the row of a key is meant to be gone. */
type MeantToBeGone = (key: KeyExpression) => RawBuilder<boolean>;

/**
 * Reads the partitions that are there, and those that were and are gone, as text of one `jsonb`.
 * A partition without bounds is the only one and the default one. Its absence says nothing. One
 * that came back with the bounds of a partition that is gone takes its place. The row is read as
 * JSON, because `doctor` also looks at a schema that has no such column yet.
 */
async function readPartitions(
  db: SqlDatabase,
  spaceId: number,
  { tableOid }: ResolvedSource,
): Promise<{ readonly partitions: string; readonly stored: string | null }> {
  const { rows } = await sql<{ partitions: string; stored: string | null }>`
    WITH present AS (
      SELECT c.oid::int8 AS oid, pg_get_partition_constraintdef(c.oid) AS bounds,
             NULL::timestamptz AS gone_at,
             pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT' AS is_default
        FROM pg_partition_tree(${tableOid}::oid::regclass) AS t
        JOIN pg_class AS c ON c.oid = t.relid
       WHERE t.isleaf AND t.level > 0
    ), stored AS (
      SELECT coalesce(to_jsonb(p) -> 'partitions', '[]') AS partitions
        FROM freshet.positions AS p WHERE p.space_id = ${spaceId}::int
    ), gone AS (
      SELECT k.oid, k.bounds, coalesce(k."goneAt", now()) AS gone_at, k."isDefault" AS is_default
        FROM stored
       CROSS JOIN jsonb_to_recordset(stored.partitions)
             AS k (oid int8, bounds text, "goneAt" timestamptz, "isDefault" boolean)
       WHERE NOT EXISTS (SELECT FROM present AS c WHERE c.oid = k.oid OR c.bounds = k.bounds)
         AND coalesce(k."goneAt", now()) > now() - ${REMEMBERED}::interval
    )
    SELECT (SELECT coalesce(jsonb_agg(jsonb_build_object('oid', u.oid, 'bounds', u.bounds,
                                                         'goneAt', u.gone_at,
                                                         'isDefault', u.is_default) ORDER BY u.oid), '[]')
              FROM (SELECT * FROM present WHERE bounds IS NOT NULL UNION ALL SELECT * FROM gone) AS u)::text
             AS partitions,
           (SELECT partitions::text FROM stored) AS stored`.execute(db.kysely);
  return rows[0] ?? { partitions: '[]', stored: null };
}

function toCondition(
  { keyColumns }: ResolvedSource,
  partitions: readonly Partition[],
): MeantToBeGone | undefined {
  const gone = partitions.filter(({ goneAt }) => goneAt !== null);
  if (gone.length === 0) return undefined;
  const there = partitions.filter(({ goneAt, isDefault }) => goneAt === null && !isDefault);
  // The server wrote the bounds, with the columns' own names and without an alias.
  const anyOf = (list: readonly Partition[]) => sql.raw(list.map(({ bounds }) => `(${bounds})`).join(' OR '));
  const elsewhere = there.length === 0 ? sql`` : sql` AND (${anyOf(there)}) IS NOT TRUE`;
  return key => {
    const columns = keyColumns.map(({ name }, place) => sql`${key[place]} AS ${sql.id(name)}`);
    return sql<boolean>`(SELECT (${anyOf(gone)}) IS TRUE${elsewhere}
                           FROM (SELECT ${sql.join(columns)}) AS k)`;
  };
}
