import { vectorOf } from '../doubles/scripted-provider.ts';
import { printTimestamp } from '../twin/timestamps.ts';
import type { TwinObserver, TwinOutcome, TwinSpace } from '../twin/twin-database.ts';
import { noteHolder, noteVerdict } from './check-purchases.ts';
import { isDoubtedTwice } from './check-refusals.ts';
import { isRefused, isUnknown, preparedOf } from './texts.ts';
import { START_MS, type World } from './world.ts';

/** Looks at every change of an outcome and every watermark in the moment that it happens. */
export function createWriteChecks(world: World): TwinObserver {
  return {
    outcomeWritten(space, before, after) {
      noteHolder(world, space, before, after);
      if (after.outcome.startsWith('refused:') && after.contentHash !== null) {
        noteVerdict(world, space, after.contentHash);
      }
      checkContent(world, space, after);
      checkOrder(world, space, before, after);
    },
    outcomeDeleted(space, outcome) {
      noteHolder(world, space, outcome, undefined);
      world.storedReadings.delete(`${space.space.spaceId}/${outcome.id}`);
      world.overturnedReadings.delete(`${space.space.spaceId}/${outcome.id}`);
      const source = world.twin.sources.get(space.space.source.name);
      if (source?.hidden)
        world.violate('complete', `outcome of ${outcome.id} deleted while a policy hides its row`);
    },
    watermarkWritten: (space, watermark) => checkWatermark(world, space, watermark),
    grantRevoked(callId) {
      if (world.services.billed.has(callId)) {
        world.violate('accounted', `the grant of ${callId} is revoked, and the provider may have billed it`);
      }
    },
    verdictRemembered: (space, hash) => noteVerdict(world, space, hash),
  };
}

const nameOf = ({ space }: TwinSpace, id: string) => `${space.source.name}/${id} in space ${space.spaceId}`;

function checkContent(world: World, space: TwinSpace, after: TwinOutcome): void {
  const { outcome, contentHash, vector } = after;
  const name = nameOf(space, after.id);
  const committed = world.application.committedHashes.get(
    `${space.space.source.name}/${after.id}/${after.xid}`,
  );
  if (committed === undefined)
    world.violate('honest-outcome', `${name}: no transaction ${after.xid} wrote it`);
  if (contentHash === null) {
    if (outcome !== 'undelivered') world.violate('honest-outcome', `${name}: ${outcome} without a hash`);
    return;
  }
  if (committed !== contentHash) {
    world.violate('honest-outcome', `${name}: ${outcome} claims xmin ${after.xid} for another text`);
  }
  const text = preparedOf(contentHash) ?? '';
  if (outcome === 'embedded') {
    if (!vector?.equals(bigEndianVectorOf(text)))
      world.violate('right-vector', `${name}: not the vector of "${text}"`);
    return;
  }
  const isRight =
    outcome === 'excluded:empty'
      ? text === ''
      : outcome === 'excluded:unknown-words'
        ? isUnknown(text)
        : outcome.startsWith('refused:') && isRefusable(world, space, outcome, text);
  if (!isRight) world.violate('honest-outcome', `${name}: ${outcome} for "${text}"`);
}

/**
 * A text is refused for itself, because its vector came back unusable, alone and twice, or because
 * no answer came, twice and alone, while others got one.
 */
function isRefusable(world: World, { space }: TwinSpace, outcome: string, text: string): boolean {
  if (isDoubtedTwice(world, space.spaceId, outcome, text)) return true;
  const { unusableVector, wrongCount, wrongIndex, wrongDimensions } = world.plan;
  return isRefused(text) || unusableVector + wrongCount + wrongIndex + wrongDimensions > 0;
}

function checkOrder(
  world: World,
  space: TwinSpace,
  before: TwinOutcome | undefined,
  after: TwinOutcome,
): void {
  const row = `${space.space.spaceId}/${after.id}`;
  const read =
    world.application.commitSequences.get(`${space.space.source.name}/${after.id}/${after.xid}`) ?? 0;
  const stored = world.storedReadings.get(row);
  world.storedReadings.set(row, read);
  noteOverturned(world, row, { stored, read, readAt: after.readAt });
  if (before === undefined || stored === undefined || world.application.clockStepped) return;
  if (read < stored) {
    world.violate(
      'newest-wins',
      `${nameOf(space, after.id)}: reading of xmin ${after.xid} replaces a newer one`,
    );
  }
}

/**
 * A stamp ahead of the clock was given before the clock stepped back, or follows one that was. Such a reading replaces a newer one whose
 * stamp is below it, and nothing at the write can tell: both stamps are what the clock said. The row is stale then, its lease is released
 * and the watermark is past it, so only the reconcile pass finds it. Noted here until a reading as new as the replaced one is stored.
 */
function noteOverturned(
  { overturnedReadings, scheduler, clockOffsetMs }: World,
  row: string,
  {
    stored = 0,
    read,
    readAt,
  }: { readonly stored: number | undefined; readonly read: number; readonly readAt: number },
): void {
  const newest = overturnedReadings.get(row) ?? 0;
  if (read >= Math.max(stored, newest)) overturnedReadings.delete(row);
  const nowMicros = (START_MS + scheduler.nowMs() + clockOffsetMs) * 1000;
  if (read < stored && readAt > nowMicros) overturnedReadings.set(row, Math.max(stored, newest));
}

/** Whether the newest commit of the row was written, and replaced by an older reading with a stamp from before the clock stepped back. */
export function isOverturned(world: World, { space }: TwinSpace, id: string, sequence: number): boolean {
  return world.overturnedReadings.get(`${space.spaceId}/${id}`) === sequence;
}

function checkWatermark(world: World, space: TwinSpace, watermark: number): void {
  const { application, twin } = world;
  const { name } = space.space.source;
  if (!application.clockStepped) {
    for (const { startedAt, xid } of twin.openTransactions) {
      if (startedAt < watermark) {
        world.violate(
          'watermark-safe',
          `transaction ${xid} of ${printTimestamp(startedAt)} is open below it`,
        );
      }
    }
  }
  const first = application.firstWatermarks.get(space.space.spaceId);
  if (first === undefined) {
    application.firstWatermarks.set(space.space.spaceId, world.sequence);
    return;
  }
  for (const row of twin.sources.get(name)?.rows.values() ?? []) {
    const facts = application.rows.get(`${name}/${row.id}`);
    if (!facts?.honest || facts.sequence <= first || row.version === null || row.version >= watermark)
      continue;
    if (space.outcomes.get(row.id)?.version === row.version || space.leases.has(row.id)) continue;
    if (twin.sources.get(name)?.hidden || isOverturned(world, space, row.id, facts.sequence)) continue;
    world.violate('watermark-safe', `${nameOf(space, row.id)} is stale below it and not leased`);
  }
}

const vectors = new Map<string, Buffer>();

function bigEndianVectorOf(text: string): Buffer {
  const known = vectors.get(text);
  if (known) return known;
  const vector = Buffer.from(vectorOf(text)).swap32();
  vectors.set(text, vector);
  return vector;
}
