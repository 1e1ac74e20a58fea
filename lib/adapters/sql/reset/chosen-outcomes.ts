import { type RawBuilder, sql } from 'kysely';
import type { ResetSelection } from '../../../ports/reset-store.ts';

/**
 * Renders whether a reset takes outcome `v`.
 * A reset takes no outcome that failed (`retry` is for those), that is of a row which is gone, or
 * that was reset already. `olderThan` means the time of the vector, or of the reading where there
 * is no vector.
 */
export function isChosen({ olderThan }: ResetSelection): RawBuilder<boolean> {
  const age =
    olderThan === undefined
      ? sql``
      : sql` AND coalesce(v.embedded_at, v.read_at) < ${olderThan}::timestamptz`;
  return sql<boolean>`(v.chunk = 0 AND v.outcome IN ('embedded', 'excluded:empty', 'too-long') AND v.missing_since IS NULL
    AND v.source_version IS DISTINCT FROM '-infinity'${age})`;
}
