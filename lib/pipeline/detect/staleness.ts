import type { Space } from '../../core/model.ts';
import { describeFailure } from '../failures.ts';
import type { DetectPorts } from './detect-ports.ts';

/**
 * Rows that are counted at most of a space's backlog in one tick.
 * Counting takes about a microsecond a row. Above the bound `StaleRows` says "at least as many".
 */
const MOST_COUNTED_ROWS = 100_000;

/**
 * Whether a look had no time to look from, so that nobody can say that nothing waits.
 * Foreign tables never have one: their edits are the walk's over all keys.
 */
export function isBlind({ source }: Space, watermark: string | null): boolean {
  return watermark === null && source.relation !== 'foreign table';
}

/**
 * Stores whether a look left stale rows unsent, where that changed.
 * Most looks change nothing, and then cost no statement. Returns `left`.
 */
export async function noteUnsent(
  { detection }: Pick<DetectPorts, 'detection'>,
  space: Space,
  unsentSince: string | null,
  left: boolean,
): Promise<boolean> {
  if (left !== (unsentSince !== null)) await detection.writeUnsent(space, left);
  return left;
}

/**
 * Emits how many rows wait and for how long, after a look, also where the space is full.
 * The age of the oldest row is the promise that the alarm watches. Rows that were left (`unsent`)
 * hold no lease yet and are counted one by one.
 */
export async function emitStaleness(ports: DetectPorts, space: Space, unsent: boolean): Promise<void> {
  if (ports.reportsStaleness === false) return;
  await emitWaiting(ports, space, unsent ? await countBacklog(ports, space) : 0);
}

/**
 * Emits how many rows wait where a pause keeps the space from being looked at.
 * Counting tells whether an edit waits. A space whose source cannot be read, or that has no
 * watermark to count from, is taken for one where some do: nobody can say that none waits.
 */
export async function emitUnlooked(ports: DetectPorts, space: Space, readable: boolean): Promise<void> {
  if (ports.reportsStaleness === false) return;
  const { watermark, unsentSince } = await ports.detection.readPosition(space);
  const rows = readable && !isBlind(space, watermark) ? await countBacklog(ports, space) : undefined;
  await noteUnsent(ports, space, unsentSince, rows !== 0);
  await emitWaiting(ports, space, rows ?? 0);
}

/**
 * Emits what waits in a space whose look failed, as far as the database still answers.
 * The look's own failure is reported by the caller; one that follows here says nothing more.
 */
export async function emitAfterFailure(ports: DetectPorts, space: Space): Promise<void> {
  try {
    await emitUnlooked(ports, space, false);
  } catch (error) {
    const { code, failureClass } = describeFailure(error);
    ports.logger.warn('staleness-not-measured', { spaceId: space.spaceId, code, failureClass });
  }
}

const countBacklog = ({ detection }: DetectPorts, space: Space) =>
  detection.countUnsentRows(space, MOST_COUNTED_ROWS);

async function emitWaiting({ detection, metrics }: DetectPorts, space: Space, unsentRows: number) {
  const { fresh, bulk } = await detection.readStaleness(space);
  metrics.count('StaleRows', fresh.rows + unsentRows);
  metrics.count('OldestStaleRowAgeSeconds', fresh.oldestAgeSeconds);
  metrics.count('BulkRows', bulk.rows);
  metrics.count('OldestBulkRowAgeSeconds', bulk.oldestAgeSeconds);
}
