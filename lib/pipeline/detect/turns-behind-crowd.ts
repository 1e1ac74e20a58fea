import type { Space } from '../../core/model.ts';
import type { DetectionStore, LeasedRow, ScanPlace, WalkedRows } from '../../ports/detection-store.ts';
import type { DetectPorts } from './detect-ports.ts';
import { dispatchRows } from './dispatch-rows.ts';

/** How far a process has walked behind a page: from the newest row towards older ones. */
interface Walk {
  /**
   * The newest row that was walked and is not dated ahead.
   * Rows that changed since stand behind it.
   */
  readonly newest: ScanPlace;
  /** The row behind which older ones are left; null: the walk came to the page. */
  readonly next: ScanPlace | null;
  /** Whether it began in an earlier tick. */
  readonly isOld: boolean;
  /** Whether the tick has walked the newest rows, among which some were committed late. */
  readonly isLateSeen: boolean;
  /** Whether what changed since has its turns before the older part at the next look. */
  readonly isNewerFirst: boolean;
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
 * each row has its turn, and none is walked again in the tick. A transaction that was open may
 * commit among rows that were walked before. Each tick therefore walks the newest rows once more,
 * beside the older part; and once a walk of an earlier tick is at its end, the next look begins
 * anew, as a process does that remembers nothing. The two parts go first by turns.
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
  const known = beginsTick && last !== undefined ? { ...last, isOld: true, isLateSeen: false } : last;
  // Whatever fails, the next walk begins anew.
  remembered.delete(space.spaceId);
  if (from === null) return NO_TURNS;
  if (limit === 0 || leased.length === 0) {
    if (known !== undefined) remembered.set(space.spaceId, known);
    return NO_TURNS;
  }
  const step = Math.ceil(leased.length / SAMPLED_ROWS);
  const page = leased.filter((_, place) => place % step === 0).map(({ id }) => id);
  const walk = (part: Part): Promise<SentRows> => {
    const asked = { maxAttempts, from, page, walkedRows: SLICES_PER_WALK * ports.limits.sliceRows, ...part };
    return dispatchRows(ports, space, 'fresh', dispatch =>
      ports.detection.leaseBehindCrowd(space, { ...dispatch, ...asked }),
    );
  };
  const goesOn = known?.isOld === true && known.next === null ? undefined : known;
  const { older, newer } = await walkParts(goesOn, limit, walk);
  const walked = goOn(goesOn, older, newer);
  if (walked !== undefined) remembered.set(space.spaceId, walked);
  const parts = [older, newer].filter(part => part !== undefined);
  return {
    rows: parts.flatMap(({ rows }) => rows),
    sent: parts.reduce((sum, { sent }) => sum + sent, 0),
    refused: parts.flatMap(({ refused }) => refused),
  };
}

const NO_TURNS = { rows: [], sent: 0, refused: [] };

interface Part {
  readonly limit: number;
  readonly olderThan?: ScanPlace | undefined;
  readonly newerThan?: ScanPlace | undefined;
}

/**
 * Walks the older part and the newer one.
 * The first of the two has half of the turns, the other one the rest.
 */
async function walkParts(
  known: Walk | undefined,
  limit: number,
  walk: (part: Part) => Promise<SentRows>,
): Promise<{ readonly older?: SentRows | undefined; readonly newer?: SentRows | undefined }> {
  const newerThan = known?.isLateSeen ? known.newest : undefined;
  if (!known?.next) return { newer: await walk({ limit, newerThan }) };
  const olderThan = known.next;
  const half = Math.ceil(limit / 2);
  if (known.isNewerFirst) {
    const newer = await walk({ limit: half, newerThan });
    const left = limit - newer.rows.length;
    return { newer, older: left > 0 ? await walk({ limit: left, olderThan }) : undefined };
  }
  const older = await walk({ limit: half, olderThan });
  const left = limit - older.rows.length;
  return { older, newer: left > 0 ? await walk({ limit: left, newerThan }) : undefined };
}

/**
 * Finds how far a walk has come after a look; undefined: the next one begins anew.
 * A part of which the limit left rows is walked again. After the newest rows, which a tick begins
 * with, the next look goes on with what changed since the last tick: there may be more of it.
 */
function goOn(
  known: Walk | undefined,
  older: WalkedRows | undefined,
  newer: WalkedRows | undefined,
): Walk | undefined {
  const isWhole = newer?.isCut === false && newer.newest !== null;
  if (known === undefined) {
    const isFirst = { isOld: false, isLateSeen: true, isNewerFirst: false };
    return isWhole ? { newest: newer.newest, next: newer.end, ...isFirst } : undefined;
  }
  return {
    newest: isWhole && known.isLateSeen ? (newer.end ?? newer.newest) : known.newest,
    next: older?.isCut === false ? older.end : known.next,
    isOld: known.isOld,
    isLateSeen: known.isLateSeen || isWhole,
    isNewerFirst: !known.isNewerFirst,
  };
}
