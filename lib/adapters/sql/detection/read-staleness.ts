import { sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import type { Lane } from '../../../core/model/vocabulary.ts';
import type { WaitingRows } from '../../../ports/detection-store.ts';
import type { SqlDatabase } from '../sql-database.ts';

const NONE: WaitingRows = { rows: 0, oldestAgeSeconds: 0 };

/**
 * Counts the rows of each lane that wait for their outcome, with the age of the oldest.
 * Expired leases count too: a row keeps its lease, and with it `first_seen`, until its outcome is
 * written.
 */
export async function readStaleness(
  db: SqlDatabase,
  space: Space,
): Promise<Readonly<Record<Lane, WaitingRows>>> {
  const { rows } = await sql<WaitingRows & { lane: Lane }>`
    SELECT lane, count(*)::int AS rows,
           greatest(extract(epoch FROM now() - min(first_seen)), 0)::float8 AS "oldestAgeSeconds"
      FROM freshet.leases WHERE space_id = ${space.spaceId}::int GROUP BY lane`.execute(db.kysely);
  const ofLane = (lane: Lane): WaitingRows => {
    const found = rows.find(row => row.lane === lane);
    return found === undefined ? NONE : { rows: found.rows, oldestAgeSeconds: found.oldestAgeSeconds };
  };
  return { fresh: ofLane('fresh'), bulk: ofLane('bulk') };
}
