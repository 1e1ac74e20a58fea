import { type RawBuilder, sql, type Transaction } from 'kysely';
import { UsageError } from '../../core/errors.ts';
import { arrayLiteral, quoteName } from './fragments.ts';
import type { FreshetTables } from './freshet-tables.ts';

/** To whom an entry `a` of a list of rights gives something, as GRANT ends. */
export const GRANTEE = sql.raw(`CASE WHEN a.grantee = 0 THEN 'PUBLIC'
    ELSE quote_ident(pg_get_userbyid(a.grantee)) END
  || CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END`);

/**
 * Drops the view of a source, whose columns change, and returns the GRANTs to give again.
 * PostgreSQL replaces a view only where its columns keep names, order and types. A view that is
 * dropped loses its rights, so that the application could not read the one that follows. Rights to
 * single columns are among them, as far as the view that follows has the column.
 * @param kept names of the columns of the view that follows
 * @throws UsageError that names what depends on the view; nothing was changed then.
 */
export async function dropSourceView(
  transaction: Transaction<FreshetTables>,
  schema: string,
  source: string,
  kept: readonly string[],
): Promise<readonly RawBuilder<unknown>[]> {
  const { rows } = await sql<{ dependents: string[]; grants: string[] }>`
    SELECT ARRAY(SELECT DISTINCT CASE WHEN d.classid = 'pg_rewrite'::regclass
                          THEN (SELECT format('view %I.%I', o.nspname, v.relname)
                                  FROM pg_rewrite r JOIN pg_class v ON v.oid = r.ev_class
                                  JOIN pg_namespace o ON o.oid = v.relnamespace
                                 WHERE r.oid = d.objid)
                          ELSE pg_describe_object(d.classid, d.objid, d.objsubid) END
                   FROM pg_depend d
                  WHERE d.deptype = 'n'
                    AND (d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid
                         OR d.refclassid = 'pg_type'::regclass AND d.refobjid = c.reltype)
                  ORDER BY 1) AS dependents,
           ARRAY(SELECT format('GRANT %s ON %I.%I TO %s', a.privilege_type || a.columns, n.nspname, c.relname,
                               ${GRANTEE})
                   FROM (SELECT '' AS columns, whole.* FROM aclexplode(c.relacl) AS whole
                         UNION ALL
                         SELECT format(' (%I)', t.attname), single.*
                           FROM pg_attribute t CROSS JOIN LATERAL aclexplode(t.attacl) AS single
                          WHERE t.attrelid = c.oid AND t.attname = ANY (${arrayLiteral(kept)}::text[])
                        ) AS a WHERE a.grantee <> c.relowner) AS grants
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = ${schema} AND c.relname = ${source}`.execute(transaction);
  const { dependents, grants } = rows[0] ?? { dependents: [], grants: [] };
  if (dependents.length > 0) {
    throw new UsageError(
      `Source "${source}": the columns of ${quoteName(schema, source)} change (its key, or the type of ` +
        `its vectors), and the database keeps it for ${dependents.join(', ')}. Nothing was changed. Drop ` +
        'what depends on the view, run migrate, and make it again.',
    );
  }
  await sql`DROP VIEW ${sql.id(schema, source)}`.execute(transaction);
  return grants.map(grant => sql.raw(grant));
}
