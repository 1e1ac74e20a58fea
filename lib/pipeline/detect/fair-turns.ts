import type { DetectPorts, DetectRequest } from './detect-ports.ts';
import { addLooks, type Look } from './lease-as-work-drains.ts';

/**
 * Puts what a tick looks at into an order.
 * Where a tick may lease fewer rows than it looks at, some have none: chance decides which, as a
 * Lambda that is cold at each of its ticks remembers nothing.
 */
export function orderByTurn<Item>(
  { randomness }: Pick<DetectPorts, 'randomness'>,
  { maxRows }: DetectRequest,
  items: readonly Item[],
): readonly Item[] {
  if (maxRows === undefined || items.length < 2) return items;
  const first = Math.floor(randomness.fraction() * items.length);
  return [...items.slice(first), ...items.slice(0, first)];
}

/**
 * Divides the rows that a tick may still lease among as many turns, the first of which comes now.
 * A million stale rows of one source then keep ten of another waiting for no tick, whoever comes
 * first and whatever the process remembers. What a turn leaves, the later ones have.
 */
export function shareOut(allowance: number, turns: number): number {
  return Math.ceil(allowance / turns);
}

/** A look of a tick, with the rows that it might lease. */
export interface FirstLook extends Look {
  readonly share: number;
}

/**
 * Looks again where a first look used up its share, while the others left rows of the tick.
 * `look` looks at a space again from where its first look ended, with all rows that are left.
 */
export async function leaseWhatIsLeft<First extends FirstLook>(
  first: readonly First[],
  look: (found: First) => Promise<Look>,
  allowance: () => number,
): Promise<First[]> {
  const looks: First[] = [];
  for (const found of first) {
    const hasMore = found.rest !== undefined && found.report.leased >= found.share;
    if (!hasMore || allowance() <= 0) looks.push(found);
    else {
      const { report, rest } = await look(found);
      looks.push({ ...found, report: addLooks(found.report, report), rest });
    }
  }
  return looks;
}

/** Milliseconds that no turn counts as its own: a walk ends as long before its time is over. */
const RESERVE_MS = 10_000;

/**
 * Divides the time that a tick has left among as many turns, the one at hand being the first.
 * Returns the time that the turn has left. A walk over the keys of a large table would otherwise
 * take the whole of every tick until it is at its end. What a turn leaves, the later ones have.
 */
export function divideTime(remainingMs: () => number, turns: number): () => number {
  if (turns < 2) return remainingMs;
  const dividedMs = remainingMs() - RESERVE_MS;
  if (dividedMs <= 0 || !Number.isFinite(dividedMs)) return remainingMs;
  const ofOthersMs = (dividedMs * (turns - 1)) / turns;
  return () => remainingMs() - ofOthersMs;
}
