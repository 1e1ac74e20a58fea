import { type RawBuilder, sql } from 'kysely';

/** A range of keys as text, open below and closed above; null is an open end. */
export interface KeyRange {
  readonly after: string | null;
  readonly through: string | null;
}

/** Renders ` AND column > … AND column <= …`, or as much of it as the range has. */
export function withinRange(
  column: RawBuilder<unknown>,
  keyType: RawBuilder<unknown>,
  range: KeyRange,
): RawBuilder<unknown> {
  const lower = range.after === null ? sql`` : sql` AND ${column} > ${range.after}::${keyType}`;
  const upper = range.through === null ? sql`` : sql` AND ${column} <= ${range.through}::${keyType}`;
  return sql`${lower}${upper}`;
}
