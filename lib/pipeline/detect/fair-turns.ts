import type { DetectPorts, DetectRequest } from './detect-ports.ts';

/** How often a process looked, by pass. */
const looks = new WeakMap<DetectPorts, Map<DetectRequest['pass'], number>>();

/**
 * Puts what a tick looks at into the order of its turns.
 * Where a tick may lease so many rows only, whoever is looked at first may take all of them: each
 * tick of a process begins one further, so that a million stale rows of one source keep ten of
 * another waiting for a tick, and not until they are done. The first tick of a process begins by
 * chance: a Lambda that is cold at each of its ticks would always begin with the same one.
 */
export function orderByTurn<Item>(
  ports: DetectPorts,
  { pass, maxRows }: DetectRequest,
  items: readonly Item[],
): readonly Item[] {
  if (maxRows === undefined || items.length < 2) return items;
  const byPass = looks.get(ports) ?? new Map<DetectRequest['pass'], number>();
  looks.set(ports, byPass);
  const turn = byPass.get(pass) ?? Math.floor(ports.randomness.fraction() * items.length);
  byPass.set(pass, turn + 1);
  const first = turn % items.length;
  return [...items.slice(first), ...items.slice(0, first)];
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
