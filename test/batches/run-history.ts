import type { Tracer } from '../../lib/ports/tracer.ts';
import type { BatchFate, RequestFate } from '../doubles/batch-service.ts';
import { createSeededRandomness } from '../doubles/seeded-randomness.ts';
import { spaceOf } from '../twin/twin-database.ts';
import { type BatchWorld, openBatchWorld, USD_PER_MILLION } from './batch-world.ts';

const PRICE_SHARE = 0.5;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** What can become of a batch; a history meets some of them. */
export const KINDS = [
  ...['expired', 'cancelled', 'failed', 'partial', 'doubled', 'late', 'late-files', 'orphan-adopted'],
  ...['orphan-never-created', 'poll-502', 'overtaken'],
] as const;
export type Kind = (typeof KINDS)[number];

/**
 * Lives one random history, calms down, and returns what went wrong in it.
 * Each sentence names a text by its number or a sum, so that a seed and a sentence are enough to go on.
 * What the history met goes to `note`.
 */
export async function runHistory(
  seed: number,
  tracer?: Tracer,
  note: (kind: Kind) => void = () => undefined,
): Promise<string[]> {
  const chance = createSeededRandomness(seed);
  const below = (count: number) => Math.floor(chance.fraction() * count);
  const isLikely = (share: number) => chance.fraction() < share;
  const frost = createSeededRandomness(1_000_000 + seed);
  let isCalm = false;
  const ends = ['completed', 'completed', 'completed', 'expired', 'cancelled', 'failed', 'never'] as const;
  const answers = [
    'embedded',
    'embedded',
    'embedded',
    'refused',
    'skipped',
    'status-0',
    'zero-vector',
  ] as const;
  const fateOf = (): BatchFate => {
    const end = isCalm ? 'completed' : ends[below(ends.length)]!;
    const hard = !isCalm && isLikely(0.5);
    const salt = below(1_000);
    return {
      ...{ end, polls: below(4), lateFiles: isLikely(0.2) ? 1 + below(3) : 0 },
      ...{ doubled: isLikely(0.3), shuffled: isLikely(0.5), boasts: isLikely(0.1) },
      ...(hard && { answerOf: (place: number) => answers[(place * 3 + salt) % answers.length]! }),
    };
  };
  const requestFate = (request: string): RequestFate => {
    if (isCalm || isLikely(0.75)) return 'well';
    const fate = (['lost-answer', 'lost-request', 'status-502', 'status-429', 'cut'] as const)[below(5)]!;
    if (request === 'poll' && fate === 'status-502') note('poll-502');
    return fate;
  };
  const listLag = () => (isLikely(0.3) ? 1 : 0);
  const maxEnqueuedTokens = isLikely(0.3) ? 60 : 100_000;
  const world = await openBatchWorld(
    seed,
    fateOf,
    undefined,
    { requestFate, listLag, maxEnqueuedTokens },
    tracer,
  );
  const texts = 4 + below(24);
  const putRow = (id: number, agedMs: number) =>
    world.put(String(id), `text ${below(texts)} of history ${seed}`, agedMs);
  let thaw: (() => Promise<void>) | undefined;
  try {
    const count = 3 + below(27);
    for (let id = 1; id <= count; id += 1) putRow(id, 2 * HOUR_MS);
    for (let step = 0; step < 14 + below(12); step += 1) {
      if (isLikely(0.25)) putRow(1 + below(count), 0);
      if (isLikely(0.2)) world.killAfter(1 + below(12));
      await world.work();
      if (isLikely(0.2)) world.killAfter(1 + below(20));
      const isFrozen = thaw === undefined && frost.fraction() < 0.05;
      if (isFrozen) thaw = await world.freezeTick();
      else await world.tick(isLikely(0.3));
      if (!isFrozen && frost.fraction() < 0.1) {
        await thaw?.();
        thaw = undefined;
      }
      world.advance([MINUTE_MS, 5 * MINUTE_MS, 16 * MINUTE_MS, HOUR_MS, 5 * HOUR_MS][below(5)]!);
    }
    isCalm = true;
    for (let calm = 0; calm < 60 && (calm < 12 || isUnfinished(world)); calm += 1) {
      world.killAfter(Number.POSITIVE_INFINITY);
      await world.work();
      await world.tick(true);
      if (calm === 3) await thaw?.();
      world.advance(calm < 30 ? HOUR_MS : 12 * HOUR_MS);
    }
    noteKinds(world, note);
    return judge(world);
  } finally {
    await world.close();
  }
}

function noteKinds({ service, logger }: BatchWorld, note: (kind: Kind) => void): void {
  for (const { status, fate, completed, texts } of service.batches) {
    if (status === 'expired' || status === 'cancelled' || status === 'failed') note(status);
    if (completed > 0 && completed < texts.length) note('partial');
    if (fate.doubled) note('doubled');
    if (fate.lateFiles) note('late-files');
  }
  const logged: Readonly<Record<string, Kind>> = {
    'batch-late': 'late',
    'batch-adopted': 'orphan-adopted',
    'batch-never-created': 'orphan-never-created',
    'batch-overtaken': 'overtaken',
  };
  for (const { event } of logger.lines) {
    const kind = logged[event];
    if (kind !== undefined) note(kind);
  }
}

function isUnfinished({ twin, staleRows }: BatchWorld): boolean {
  const isOpen = [...twin.batches.values()].some(({ state }) => state !== 'ended');
  return isOpen || staleRows().length > 0;
}

/** What must hold at the end, whatever happened. */
function judge({ twin, space, service, twice, staleRows }: BatchWorld): string[] {
  const faults: string[] = [];
  const stale = staleRows();
  if (stale.length > 0) faults.push(`${stale.length} rows are stale`);
  for (const { batchId, state, outcome } of twin.batches.values())
    if (state !== 'ended') faults.push(`batch ${batchId} is ${state} (${outcome})`);
  const waiting = [...spaceOf(twin, space).leases.values()].filter(({ waitsFor }) => waitsFor !== null);
  if (waiting.length > 0) faults.push(`${waiting.length} rows wait for a batch`);
  if (service.files.size > 0) faults.push(`${service.files.size} files are left at the provider`);
  const openGrants = [...twin.grants.values()].filter(({ isLost }) => !isLost);
  if (openGrants.length > 0) faults.push(`${openGrants.length} grants are open`);

  faults.push(...twice);

  const settled = [...twin.ledger.values()].filter(({ requestId }) => requestId !== 'live');
  const paid = settled.reduce((sum, { costUsd }) => sum + costUsd, 0);
  const owed = (service.billedTokens() * USD_PER_MILLION * PRICE_SHARE) / 1e6;
  if (Math.abs(paid - owed) > 1e-9) faults.push(`the ledger has $${paid}, the bill $${owed}`);
  return faults;
}
