import type { Space } from '../../core/model.ts';
import type { DetectionStore, LeasedRow, ScanPlace, WalkedRows } from '../../ports/detection-store.ts';
import type { DetectPorts } from './detect-ports.ts';
import { dispatchRows } from './dispatch-rows.ts';

/** How far a process has walked behind a page: from the newest row towards older ones. */
interface Walk {
  /** The newest row that was walked; rows that changed since stand behind it. */
  readonly newest: ScanPlace;
  /** The row behind which older ones are left; null: the walk came to the page. */
  readonly next: ScanPlace | null;
  /** Whether it began in an earlier tick. */
  readonly isOld: boolean;
}

/** By the store that a process has throughout, and by space. */
const walks = new WeakMap<DetectionStore, Map<number, Walk>>();

/** What a look leases for tenants that its page has no room for. */
interface Turns {
  readonly limit: number;
  readonly maxAttempts: number | undefined;
  /** The first stale row behind the page; null: the page has taken all, and nobody crowds it. */
  readonly from: ScanPlace | null;
  /** Whether the look is the first of its tick. */
  readonly beginsTick: boolean;
}

type SentRows = WalkedRows & { readonly sent: number; readonly refused: readonly LeasedRow[] };

/** Rows of a page by which it is told who fills it. */
const SAMPLED_ROWS = 400;
/** A walk has as many rows as so many slices: 100,000 where they have 50,000 keys, 0.1 to 0.3 s. */
const SLICES_PER_WALK = 2;

/**
 * Leases rows of tenants that stand behind a page which others fill.
 * A mass change of one tenant then keeps ten rows of another waiting for a look or a few, and not
 * until all of it is done. The watermark waits for the page all the same.
 *
 * The first walk begins at the newest rows, where edits stand. Each further look walks what changed
 * since, and goes on towards older rows where the last walk ended, until it comes to the page: so
 * each row has its turn, and none is walked again in the tick. A transaction that was open for long
 * may commit among rows that were walked before: once a walk of an earlier tick is at its end, the
 * next look begins anew, as a process does that remembers nothing. Rows that wait longer go first:
 * those of the older part have half of the turns, the newer part has the rest.
 */
export async function leaseInTurn(
  ports: DetectPorts,
  space: Space,
  leased: readonly LeasedRow[],
  { limit, maxAttempts, from, beginsTick }: Turns,
): Promise<Pick<SentRows, 'rows' | 'sent' | 'refused'>> {
  const remembered = walks.get(ports.detection) ?? new Map<number, Walk>();
  walks.set(ports.detection, remembered);
  const last = remembered.get(space.spaceId);
  const isOld = last !== undefined && (beginsTick || last.isOld);
  const known = isOld && last.next === null ? undefined : last;
  // Whatever fails, the next walk begins anew.
  remembered.delete(space.spaceId);
  if (from === null || limit === 0 || leased.length === 0) return { rows: [], sent: 0, refused: [] };
  const step = Math.ceil(leased.length / SAMPLED_ROWS);
  const page = leased.filter((_, place) => place % step === 0).map(({ id }) => id);
  const walk = (part: Part): Promise<SentRows> => {
    const asked = { maxAttempts, from, page, walkedRows: SLICES_PER_WALK * ports.limits.sliceRows, ...part };
    return dispatchRows(ports, space, 'fresh', dispatch =>
      ports.detection.leaseBehindCrowd(space, { ...dispatch, ...asked }),
    );
  };
  const older = known?.next ? await walk({ limit: Math.ceil(limit / 2), olderThan: known.next }) : undefined;
  const left = limit - (older?.rows.length ?? 0);
  const newer = left > 0 ? await walk({ limit: left, newerThan: known?.newest }) : undefined;
  const walked = goOn(known, older, newer);
  if (walked !== undefined) remembered.set(space.spaceId, { ...walked, isOld: isOld && known !== undefined });
  const parts = [older, newer].filter(part => part !== undefined);
  return {
    rows: parts.flatMap(({ rows }) => rows),
    sent: parts.reduce((sum, { sent }) => sum + sent, 0),
    refused: parts.flatMap(({ refused }) => refused),
  };
}

interface Part {
  readonly limit: number;
  readonly olderThan?: ScanPlace | undefined;
  readonly newerThan?: ScanPlace | undefined;
}

/**
 * Finds how far a walk has come after a look; undefined: the next one begins anew.
 * A part of which the limit left rows is walked again.
 */
function goOn(
  known: Walk | undefined,
  older: WalkedRows | undefined,
  newer: WalkedRows | undefined,
): Omit<Walk, 'isOld'> | undefined {
  const isWhole = newer?.isCut === false && newer.newest !== null;
  if (known === undefined) return isWhole ? { newest: newer.newest, next: newer.end } : undefined;
  return {
    newest: isWhole ? (newer.end ?? newer.newest) : known.newest,
    next: older?.isCut === false ? older.end : known.next,
  };
}
