import { type RawBuilder, sql } from 'kysely';
import type { ResolvedSource } from '../../../core/model/space.ts';

/**
 * Renders a moment (`timestamptz`) as the version column would hold it, as text.
 * In a column without time zone, local time goes back when summer ends. What bounds versions from
 * below must then lie under every local time still to come. A set-back within the next two hours is
 * therefore taken off at once.
 */
export function toVersionTime(
  moment: RawBuilder<unknown>,
  source: Pick<ResolvedSource, 'versionType' | 'versionTimeZone'>,
): RawBuilder<string> {
  if (source.versionType === 'timestamp with time zone') return sql`(${moment})::text`;
  const zone = sql`${source.versionTimeZone}::text`;
  const local = sql`((${moment}) AT TIME ZONE ${zone})`;
  const later = sql`((${moment} + interval '2 hours') AT TIME ZONE ${zone})`;
  return sql`(${local} - greatest(interval '0', interval '2 hours' - (${later} - ${local})))::text`;
}
