import { UsageError } from '../../../core/errors/usage-error.ts';
import type { ResolvedSource } from '../../../core/model/space.ts';
import { quoteName } from '../sources/quote-name.ts';
import type { SpaceRow } from './to-space.ts';

/**
 * Requires that the space has the key and version types of the source's table.
 * Outcome rows hold keys and versions in the source columns' own types. When the application
 * changed one of the types, the vector table must follow.
 * @throws UsageError with the statements that change the vector table.
 */
export function requireSameShape(row: SpaceRow, source: ResolvedSource, viewSchema: string): void {
  if (row.key_type === source.keyType && row.version_type === source.versionType) return;
  const table = quoteName('freshet', `vectors_${row.space_id}`);
  throw new UsageError(
    `Source "${source.name}": the stored vectors have keys of type ${row.key_type} and versions of type ${row.version_type}, the table now has ${source.keyType} and ${source.versionType}. If the rows are the same as before, run the statement below, then migrate again; if they are other rows, give the source another name.`,
    [
      `DROP VIEW IF EXISTS ${quoteName(viewSchema, source.name)};`,
      `ALTER TABLE ${table} ALTER COLUMN item_id TYPE ${source.keyType} USING item_id::text::${source.keyType},`,
      `ALTER COLUMN source_version TYPE ${source.versionType};`,
      `UPDATE freshet.spaces SET key_type = '${source.keyType}', version_type = '${source.versionType}' WHERE space_id = ${row.space_id};`,
    ].join(' '),
  );
}
