import { sourceOf, type TwinSpace } from '../twin/twin-database.ts';
import { readCoverage } from '../twin/twin-report.ts';
import { checkBatchesEnd, hasBatchesOpen } from './check-batches.ts';
import { isOverturned } from './check-writes.ts';
import { queuesOf } from './services.ts';
import { needsGuard } from './simulated-guard.ts';
import { hashOf } from './texts.ts';
import type { World } from './world.ts';

export function liveSpaces(world: World): TwinSpace[] {
  return [...world.twin.spaces.values()].filter(({ retired }) => !retired);
}

export function isQuiet(world: World): boolean {
  const isDrained = queuesOf(world.services).every(({ messages }) => messages.size === 0);
  return (
    isDrained &&
    world.running === 0 &&
    !hasBatchesOpen(world) &&
    liveSpaces(world).every(({ leases }) => leases.size === 0)
  );
}

/** Before any reconcile pass of the calm: what the incremental pass alone must have brought about. */
export function checkConvergence(world: World): void {
  for (const space of liveSpaces(world)) {
    const first = world.application.firstWatermarks.get(space.space.spaceId);
    if (first === undefined) continue;
    const { name } = space.space.source;
    for (const row of sourceOf(world.twin, space.space).rows.values()) {
      const facts = world.application.rows.get(`${name}/${row.id}`);
      if (!facts?.honest || facts.sequence <= first) continue;
      const outcome = space.outcomes.get(row.id);
      if (outcome?.version === row.version && outcome.xid === row.xid) continue;
      if (isOverturned(world, space, row.id, facts.sequence)) continue;
      world.violate('converged-before-reconcile', `${name}/${row.id} in space ${space.space.spaceId}`);
    }
  }
}

export function checkEnd(world: World): void {
  for (const space of liveSpaces(world)) checkSpaceEnd(world, space);
  for (const callId of world.services.billed) {
    if (!world.twin.ledger.has(callId) && !world.twin.grants.has(callId)) {
      world.violate('accounted', `${callId} was billed and stands nowhere`);
    }
    // What was bought for a space that is retired meanwhile is dropped with its object, and reported as paid and lost.
    if (world.hardFaults === 0 && world.plan.retirements === 0 && !world.twin.ledger.has(callId)) {
      world.violate('accounted', `${callId} never reached the ledger`);
    }
  }
  checkBatchesEnd(world);
  checkReopened(world);
  checkCost(world);
}

function checkReopened(world: World): void {
  const { pauses } = world.twin;
  const closed = queuesOf(world.services).filter(queue => queue.closed);
  if (!needsGuard(world)) return;
  const left = [
    ...pauses.map(({ scope, reason }) => `${scope} ${reason}`),
    ...closed.map(({ name }) => name),
  ];
  world.violate('reopened', left.join(', '));
}

function checkSpaceEnd(world: World, space: TwinSpace): void {
  const { rows } = sourceOf(world.twin, space.space);
  const { name } = space.space.source;
  for (const row of rows.values()) {
    const outcome = space.outcomes.get(row.id);
    const isComplete =
      outcome?.version === row.version && outcome.xid === row.xid && outcome.contentHash === hashOf(row.text);
    if (!isComplete) world.violate('complete', `${name}/${row.id} in space ${space.space.spaceId}`);
  }
  for (const id of space.outcomes.keys()) {
    if (!rows.has(id)) world.violate('no-ghosts', `${name}/${id} in space ${space.space.spaceId}`);
  }
}

/** Texts that a row took on are needed once for each time; a fault may lose a purchase, or a batch of them, each time that it strikes. */
function checkCost(world: World): void {
  const { batchSize } = world.shape;
  const lost = world.hardFaults;
  for (const [key, purchases] of world.services.purchases) {
    const [spaceId = '', hash = ''] = key.split('/');
    const space = world.twin.spaces.get(Number(spaceId));
    const adoptions = world.application.adoptions.get(`${space?.space.source.name}/${hash}`) ?? 0;
    const beside = world.services.bought.beside.get(key) ?? 0;
    if (purchases > adoptions + beside + lost) {
      world.violate(
        'cost-bound',
        `${key}: ${purchases} purchases, ${adoptions} needed, ${lost} faults, batches of ${batchSize}`,
      );
    }
  }
}

export function checkCoverage(world: World): void {
  for (const { space } of liveSpaces(world)) {
    const coverage = readCoverage(world.twin, space);
    const { eligible, fresh, excluded, failed, inFlight, stale, coveragePercent } = coverage;
    const { rows, hidden } = sourceOf(world.twin, space);
    const isIdentity =
      eligible === fresh + excluded + failed + inFlight + stale && eligible === (hidden ? 0 : rows.size);
    const isWhole = coveragePercent < 100 || fresh === eligible - excluded;
    if (!isIdentity || !isWhole) world.violate('coverage-identity', JSON.stringify(coverage));
  }
}
