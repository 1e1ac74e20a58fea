import { commitNow, distrustSource } from './application.ts';
import { noteStepBack, raiseCaps } from './check-caps.ts';
import { watchTick } from './check-freshness.ts';
import { loseRate } from './check-rate.ts';
import { drawRaisingRows, raiseForAWhile } from './check-skipped.ts';
import { scheduleCrowd } from './check-tenants.ts';
import { invokeDetect, invokeGuard } from './invoke.ts';
import { acceptMessage } from './service-ports.ts';
import { queuesOf } from './services.ts';
import { drawText } from './texts.ts';
import type { World } from './world.ts';

/** Where the database may say stop, or the provider, or somebody pauses. */
const GUARD_CHECKS = 8;
/** Where an edit may be seen by the pass whose rows wait for batches. */
const RECONCILES_WITH_BATCHES = 8;
/** How often the row of a limited model's rate is lost. */
const LOST_RATES = 2;

/** The ticks of the schedule, and what befalls a deployment now and then. All of it within the fault phase. */
export function scheduleIncidents(world: World): void {
  const { random, scheduler, shape, plan } = world;
  const during = (times: number, run: () => void, beforeMs = shape.faultPhaseMs) => {
    for (let count = 0; count < times; count += 1) scheduler.after(random.below(beforeMs), run);
  };
  const tick = (pass: 'incremental' | 'reconcile') => {
    const ended = pass === 'incremental' ? watchTick(world) : () => undefined;
    invokeDetect(world, { pass }, ended);
  };
  const everyMs = shape.faultPhaseMs / random.between(3, 8);
  for (
    let atMs = random.below(60_000);
    atMs < shape.faultPhaseMs;
    atMs += everyMs * (0.5 + random.fraction())
  ) {
    scheduler.after(atMs, () => tick('incremental'));
  }
  during(1, () => tick('reconcile'), shape.faultPhaseMs / 4);
  during(random.below(3), () => tick('reconcile'));
  during(plan.overlappingDetections, () => {
    tick('incremental');
    tick(random.chance(0.5) ? 'incremental' : 'reconcile');
  });
  during(plan.garbageMessages, () => sendGarbage(world));
  during(plan.pauses, () => pauseForAWhile(world));
  during(plan.clockSteps, () => stepClockBack(world));
  during(plan.lostPolicies, () => hideRowsForAWhile(world));
  during(plan.emptiedTables, () => reload(world));
  during(plan.lostLeases, () => loseLeases(world));
  during(plan.retirements, () => retire(world));
  during(plan.databaseStops, () => stopWritesForAWhile(world));
  const pauses = plan.databaseStops + plan.keyRevoked + plan.pauses > 0;
  during(pauses ? GUARD_CHECKS : 0, () => invokeGuard(world, () => undefined));
  during(shape.limits === undefined ? 0 : LOST_RATES, () => loseRate(world));
  during(world.twin.caps.length > 0 ? 1 : 0, () => raiseCaps(world));
  if (shape.batch !== undefined) tickOften(world, () => tick('incremental'));
  during(shape.batch === undefined ? 0 : RECONCILES_WITH_BATCHES, () => tick('reconcile'));
  during(plan.faultySources, () => breakSourceForAWhile(world));
  scheduleCrowd(world);
  during(drawRaisingRows(world.seed), () => raiseForAWhile(world));
}

/** Batches are looked at by ticks alone. */
function tickOften({ random, scheduler, shape }: World, tick: () => void): void {
  for (let atMs = 0; atMs < shape.faultPhaseMs; atMs += 60_000 + random.below(90_000))
    scheduler.after(atMs, tick);
}

function sendGarbage(world: World): void {
  const queue = world.random.pick(queuesOf(world.services));
  const body = world.random.pick(['no json', '{"v":2}', '{"v":1,"kind":"dispatch"}', '[]']);
  acceptMessage(world, queue, body, true);
}

function pauseForAWhile(world: World): void {
  const { control } = world.stores;
  const { source, model } = world.random.pick(world.spaces);
  const scope = world.random.pick(['pipeline', `model:${model.alias}`, `source:${source.name}`]);
  world.trace.event('operator pauses', 0, () => scope);
  world.sequence += 1;
  control.pause(scope, 'operator', 'for a while');
  world.scheduler.after(world.random.below(15 * 60_000), () => {
    world.trace.event('operator resumes', 0, () => scope);
    control.resume(scope, 'operator');
  });
}

function stepClockBack(world: World): void {
  world.application.clockStepped = true;
  const stepMs = world.random.between(1, 20 * 60_000);
  world.clockOffsetMs -= stepMs;
  noteStepBack(world, stepMs);
  world.trace.event('clock steps back', 0, () => `to ${world.clockOffsetMs} ms`);
}

/** Row-level security comes to hide every row, and the policy is given back later. */
function hideRowsForAWhile(world: World): void {
  const [name, source] = world.random.pick([...world.twin.sources]);
  const show = () => {
    distrustSource(world, name);
    Object.assign(source, { hidden: false, rowSecurity: false });
    world.trace.event('policy is given back');
  };
  distrustSource(world, name);
  // What is bought while its row cannot be seen is not written.
  world.hardFaults += 1;
  Object.assign(source, { hidden: true, rowSecurity: true });
  world.trace.event('policy is lost', 0, () => name);
  world.scheduler.after(world.random.below(3 * 3_600_000), show);
}

/** "DELETE; INSERT", with other texts. */
function reload(world: World): void {
  const [name, source] = world.random.pick([...world.twin.sources]);
  const ids = [...source.rows.keys()];
  commitNow(
    world,
    name,
    ids.map(id => ({ id, kind: 'delete' })),
  );
  world.scheduler.after(world.random.below(10 * 60_000), () => {
    commitNow(
      world,
      name,
      ids.map(id => ({ id, kind: 'put', text: drawText(world) })),
    );
  });
}

/** The database crashes: its unlogged tables are empty afterwards. */
function loseLeases(world: World): void {
  world.hardFaults += 1;
  world.trace.event('leases are lost');
  for (const { leases, space } of world.twin.spaces.values()) {
    leases.clear();
    distrustSource(world, space.source.name);
  }
}

function retire(world: World): void {
  const space = world.twin.spaces.get(world.random.pick(world.spaces).spaceId);
  if (!space) return;
  space.retired = true;
  world.trace.event('space is retired', space.space.spaceId);
}

/** The application renames a column, and back. */
function breakSourceForAWhile(world: World): void {
  const source = world.random.pick([...world.twin.sources.values()]);
  source.fault = { code: 'column-missing', message: 'simulated' };
  world.trace.event('source breaks');
  world.scheduler.after(world.random.below(20 * 60_000), () => {
    source.fault = undefined;
    world.trace.event('source is mended');
  });
}

/** A failover to a replica that stays read-only for a while. */
function stopWritesForAWhile(world: World): void {
  world.readOnly = true;
  world.trace.event('database takes no writes');
  world.scheduler.after(world.random.below(20 * 60_000), () => {
    world.readOnly = false;
    world.trace.event('database takes writes');
  });
}
