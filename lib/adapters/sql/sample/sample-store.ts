import { sql } from 'kysely';
import type { PipelineConfig } from '../../../core/config/pipeline-config.ts';
import type { SampleStore } from '../../../ports/sample-store.ts';
import { createSampleTable } from '../console/create-sample-table.ts';
import { readSchemaVersion } from '../migrations/read-schema-version.ts';
import { readCoverage } from '../report/read-coverage.ts';
import { openSpaces } from '../spaces/open-spaces.ts';
import type { SqlDatabase } from '../sql-database.ts';
import { createPipelineRole, type PipelineRole } from './create-pipeline-role.ts';

/** Makes the store of the example database, which must be opened as its owner. */
export function createSampleStore(
  database: SqlDatabase,
  config: PipelineConfig,
  readRole: () => Promise<Omit<PipelineRole, 'viewSchema'>>,
): SampleStore {
  const db = database.kysely;
  return {
    async load(items) {
      const created = await createSampleTable(db, items);
      await createPipelineRole(db, { ...(await readRole()), viewSchema: config.database.viewSchema });
      const counted = await sql<{
        rows: number;
      }>`SELECT count(*)::float8 AS rows FROM public.ai_items`.execute(db);
      return { rows: counted.rows[0]?.rows ?? 0, created };
    },
    async insert(title) {
      const inserted = await sql<{ id: string }>`
        INSERT INTO public.ai_items (title) VALUES (${title}) RETURNING id::text AS id`.execute(db);
      return inserted.rows[0]!.id;
    },
    async edit(id, title) {
      const edited = await sql`
        UPDATE public.ai_items SET title = ${title}, updated_at = now() WHERE id = ${id}::bigint`.execute(db);
      return edited.numAffectedRows === 1n;
    },
    async readCoverage() {
      if ((await readSchemaVersion(db)) === 0) return [];
      const spaces = await (await openSpaces(database, config)).list();
      const coverages = [];
      for (const space of spaces) coverages.push(await readCoverage(database, space));
      return coverages;
    },
  };
}
