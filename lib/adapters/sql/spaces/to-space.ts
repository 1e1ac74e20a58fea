import type { Selectable } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import type { FreshetTables } from '../freshet-tables.ts';
import type { SpaceBinding } from './space-binding.ts';

export type SpaceRow = Selectable<FreshetTables['freshet.spaces']>;

/**
 * Makes a space from its stored row and its binding; the table's OID is the stored one.
 * A table that was swapped since the space was bound to it shows by another OID in the database.
 */
export function toSpace(
  row: SpaceRow,
  binding: Pick<SpaceBinding, 'source' | 'model' | 'fallbackFor'>,
): Space {
  return {
    spaceId: row.space_id,
    source: { ...binding.source, tableOid: Number(row.table_oid) },
    model: binding.model,
    status: row.status,
    vectorTable: `vectors_${row.space_id}`,
    ...(binding.fallbackFor && { fallbackFor: binding.fallbackFor }),
  };
}
