import { BUDGET_PAUSE, ORPHANS_CONFIRMED } from '../../lib/core/control.ts';
import type { TwinSpace } from '../twin/twin-database.ts';
import { retryFailures } from '../twin/twin-report.ts';
import { commitNow } from './application.ts';
import { hasBatchesOpen } from './check-batches.ts';
import { liftCaps } from './check-caps.ts';
import { checkConvergence, checkEnd, isQuiet, liveSpaces } from './check-end.ts';
import { forgetVerdicts } from './check-purchases.ts';
import { scheduleDelivery } from './deliver.ts';
import { NO_FAULTS } from './fault-plan.ts';
import { invokeDetect, invokeGuard } from './invoke.ts';
import { queuesOf } from './services.ts';
import { endAllBatches } from './simulated-batches.ts';
import { needsGuard } from './simulated-guard.ts';
import type { SimulatedQueue } from './simulated-queue.ts';
import { isKiller } from './texts.ts';
import { START_MS, type World } from './world.ts';

const TICK_MS = 60_000;
/** Ticks in which the calm must bring everything to rest. */
const MOST_TICKS = 60;
/** A text that kills takes five rounds of a quarter of an hour, and only so many rows may be on their way at once. */
const MOST_TICKS_WITH_KILLERS = 400;
/** Batches are late by hours: after so many ticks they come further apart. */
const TICKS_A_MINUTE = 20;
const LONG_TICK_MS = 20 * TICK_MS;
const MOST_TICKS_WITH_BATCHES = 150;
/** The first may begin in the middle, the second marks what is gone, the fourth is the first to begin after a whole one that found it marked. */
const MOST_PASSES = 4;
/** And the second may begin in the middle too: the cursor of a tick that was cut off can be written hours later, by a call that is slow. */
const MOST_PASSES_WITH_SLOW_CALLS = 5;
/** Without anything that is gone: one that is whole. */
const LEAST_PASSES = 2;

type Stop = (stage: string) => void;

/**
 * The calm: no faults any more, every transaction ended, every pause of an operator lifted, dead letters sent once more. Then ticks until
 * nothing moves, first of the incremental pass alone.
 */
export function settle(world: World, finished: () => void): void {
  calmDown(world);
  const stop = (stage: string) => {
    world.violate(
      'quiescent',
      `${stage}: still busy after ${mostTicks(world)} ticks; ${describeRest(world)}`,
    );
    finished();
  };
  const reconcile = () => {
    checkConvergence(world);
    confirmOrphans(world);
    reconcileTimes(world, 0, stop, () => {
      checkEnd(world);
      runIdly(world, stop, finished);
    });
  };
  tickUntilQuiet(world, stop, 'incremental', () => {
    checkPoison(world);
    if (healTexts(world) === 0) reconcile();
    else tickUntilQuiet(world, stop, 'after retry', reconcile);
  });
}

function calmDown(world: World): void {
  world.faults = NO_FAULTS;
  world.readOnly = false;
  world.trace.event('calm');
  liftCaps(world);
  endAllBatches(world);
  for (const commit of [...world.application.open.values()]) commit();
  for (const source of world.twin.sources.values()) {
    if (source.hidden) for (const facts of world.application.rows.values()) facts.honest = false;
    Object.assign(source, { hidden: false, rowSecurity: false, fault: undefined });
  }
  for (const { scope, reason } of [...world.twin.pauses]) {
    // What a failure or a cap set ends by itself.
    if (reason === 'database' || reason === BUDGET_PAUSE || reason.startsWith('provider:')) continue;
    world.stores.control.resume(scope, reason);
  }
  redrive(world, ['embed', 'write']);
}

/** Dead letters go back to their queues under new ids; garbage is thrown away. */
function redrive(world: World, consumers: readonly SimulatedQueue['consumer'][]): void {
  for (const queue of queuesOf(world.services).filter(({ consumer }) => consumers.includes(consumer))) {
    for (const message of [...queue.messages]) if (message.isGarbage) queue.messages.delete(message);
    for (const { body, isGarbage } of queue.deadLetters.splice(0)) {
      if (isGarbage) continue;
      queue.messages.add({
        ...{ messageId: world.newIdentifier(), body, isGarbage, receiveCount: 0, receiptHandle: '' },
        visibleAtMs: world.scheduler.nowMs(),
      });
    }
    if (queue.messages.size > 0) scheduleDelivery(world, queue, 0);
  }
}

/** One tick after the other; where everything waits, the next one comes when the first wait ends. */
function tickUntilQuiet(world: World, stop: Stop, stage: string, quiet: () => void, ticks = 0): void {
  if (ticks > mostTicks(world)) {
    stop(stage);
    return;
  }
  const next = () => {
    // Whoever is paged by a dead letter sends it once more; a pause that a failed write set ends with that.
    redrive(world, ['write']);
    resumeUnusedModels(world);
    // A pause that the guard has yet to lift is no rest: its claim waits longer where the clock stepped back below the pause.
    const isAtRest = isQuiet(world) && !needsGuard(world);
    // What a tick left for the next one, and knows to wait, is no rest for the incremental pass either.
    const isLeft = stage === 'incremental' && liveSpaces(world).some(({ position }) => position?.unsentSince);
    if ((ticks >= 1 || stage !== 'incremental') && isAtRest && !isLeft) return quiet();
    world.scheduler.after(findWaitMs(world, ticks), () =>
      tickUntilQuiet(world, stop, stage, quiet, ticks + 1),
    );
  };
  const detect = () => invokeDetect(world, { pass: 'incremental' }, next);
  if (needsGuard(world)) invokeGuard(world, detect);
  else detect();
}

/** Nobody probes a model that has no space any more: whoever retired the last one lifts its pause. */
function resumeUnusedModels(world: World): void {
  const used = new Set(liveSpaces(world).map(({ space }) => `model:${space.model.alias}`));
  for (const { scope, reason } of [...world.twin.pauses]) {
    if (scope.startsWith('model:') && !used.has(scope)) world.stores.control.resume(scope, reason);
  }
}

const mostPasses = ({ plan }: World) => (plan.slow > 0 ? MOST_PASSES_WITH_SLOW_CALLS : MOST_PASSES);

function mostTicks({ plan, shape }: World): number {
  if (plan.killerTexts > 0) return MOST_TICKS_WITH_KILLERS;
  return shape.batch === undefined ? MOST_TICKS : MOST_TICKS_WITH_BATCHES;
}

function findWaitMs(world: World, ticks: number): number {
  if (hasBatchesOpen(world)) return ticks < TICKS_A_MINUTE ? TICK_MS : LONG_TICK_MS;
  const nowMs = world.scheduler.nowMs();
  const databaseNowMs = START_MS + nowMs + world.clockOffsetMs;
  let nextMs = Number.POSITIVE_INFINITY;
  for (const queue of queuesOf(world.services)) {
    for (const { visibleAtMs } of queue.messages) nextMs = Math.min(nextMs, visibleAtMs - nowMs);
  }
  for (const { leases } of liveSpaces(world)) {
    for (const { expiresAt } of leases.values()) nextMs = Math.min(nextMs, expiresAt / 1000 - databaseNowMs);
  }
  return world.running > 0 || nextMs === Number.POSITIVE_INFINITY
    ? TICK_MS
    : Math.max(TICK_MS, nextMs + 1_000);
}

/** What kills its process must have come to its end by itself; every other row is written. */
function checkPoison(world: World): void {
  for (const space of liveSpaces(world)) {
    for (const row of world.twin.sources.get(space.space.source.name)?.rows.values() ?? []) {
      const outcome = space.outcomes.get(row.id)?.outcome;
      if (outcome !== 'undelivered' || (row.text !== null && isKiller(row.text))) continue;
      if (world.plan.crash + world.plan.slow + world.plan.failAfter + world.plan.failBefore > 0) continue;
      if (world.hardFaults > 0 && world.plan.killerTexts === 0) continue;
      world.violate('poison-delays-nobody', `${space.space.source.name}/${row.id} is given up`);
    }
  }
}

/** Somebody mends the texts that kill, then has what failed tried again. How many rows that concerns. */
function healTexts(world: World): number {
  let rows = 0;
  for (const [name, source] of world.twin.sources) {
    const changes = [...source.rows.values()]
      .filter(({ text }) => text !== null && isKiller(text))
      .map(({ id, text }) => ({ id, kind: 'put' as const, text: text?.replace('killer', 'healed') ?? null }));
    if (changes.length > 0) commitNow(world, name, changes);
    rows += changes.length;
  }
  for (const { space } of liveSpaces(world)) {
    const retried = retryFailures(world.twin, space);
    if (retried > 0) forgetVerdicts(world, space.spaceId);
    rows += retried;
  }
  return rows;
}

function confirmOrphans(world: World): void {
  for (const name of world.twin.sources.keys()) {
    world.stores.control.pause(`source:${name}`, ORPHANS_CONFIRMED, 'meant to be gone');
  }
}

/** Whole passes, more than an hour apart, so that what is gone is marked by one and removed by a later one. */
function reconcileTimes(world: World, passes: number, stop: Stop, done: () => void): void {
  const isOver = passes >= LEAST_PASSES && !liveSpaces(world).some(space => hasGhosts(world, space));
  if (isOver || passes >= mostPasses(world)) {
    done();
    return;
  }
  runPass(world, stop, () =>
    tickUntilQuiet(world, stop, `reconcile ${passes}`, () =>
      world.scheduler.after(2 * 3_600_000, () => reconcileTimes(world, passes + 1, stop, done)),
    ),
  );
}

function hasGhosts(world: World, { outcomes, space }: TwinSpace): boolean {
  const rows = world.twin.sources.get(space.source.name)?.rows;
  return [...outcomes.keys()].some(id => !rows?.has(id));
}

/** One pass over every space, in as many ticks as it takes. */
function runPass(world: World, stop: Stop, done: () => void, ticks = 0): void {
  if (ticks > mostTicks(world)) {
    stop('reconcile pass');
    return;
  }
  const endsOf = () => liveSpaces(world).map(({ position }) => position?.lastPassEndedAt ?? null);
  const before = endsOf();
  invokeDetect(world, { pass: 'reconcile' }, () => {
    const isOver = endsOf().every((at, index) => at !== before[index]);
    if (isOver) return done();
    tickUntilQuiet(world, stop, 'within a pass', () => runPass(world, stop, done, ticks + 1));
  });
}

function runIdly(world: World, stop: Stop, finished: () => void): void {
  const state = () => {
    const outcomes = liveSpaces(world).flatMap(space => [...space.outcomes.values()]);
    return [
      world.services.providerCalls,
      ...outcomes.map(({ id, readAt, embeddedAt }) => `${id}@${readAt}@${embeddedAt}`),
    ].join();
  };
  const before = state();
  runPass(world, stop, () =>
    tickUntilQuiet(world, stop, 'idle run', () => {
      if (state() !== before) world.violate('idle-second-run', 'a run over fresh rows changed something');
      finished();
    }),
  );
}

function describeRest(world: World): string {
  const messages = queuesOf(world.services).map(({ name, messages }) => `${name}: ${messages.size}`);
  const leases = liveSpaces(world).flatMap(space =>
    [...space.leases.values()].map(({ id, stage }) => `${id} ${stage}`),
  );
  const pauses = world.twin.pauses.map(({ scope, reason }) => `${scope} ${reason}`);
  return JSON.stringify({ messages, leases, pauses, running: world.running });
}
