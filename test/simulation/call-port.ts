import { FreshetError } from '../../lib/core/errors.ts';
import { type Invocation, kill } from './invocation.ts';
import type { ForcedFate, World } from './world.ts';

export type PortKind = 'database' | 'queue' | 'object' | 'provider';

type Fate = ForcedFate['fate'] | 'ok';

const LONGEST_THAW_MS = 40 * 60_000;

/**
 * A port call as a point where anything may happen: others run until chance takes it up; then it succeeds, fails before its effect or after
 * it, or its process dies there. The effect itself is one moment.
 */
export function callPort<Value>(
  world: World,
  invocation: Invocation,
  name: string,
  kind: PortKind,
  effect: () => Value,
): Promise<Value> {
  // A promise of its own: whoever waits for one that is shared is kept for ever, and its world with it.
  if (invocation.state === 'dead') return new Promise<never>(() => undefined);
  if (invocation.state === 'returned') {
    world.violate('nothing-after-return', `${invocation.component} #${invocation.number} calls ${name}`);
  }
  world.portCalls += 1;
  const call = world.portCalls;
  return new Promise((resolve, reject) => {
    const arrive = () => {
      if (!isAwake(world, invocation, arrive)) return;
      if (invocation.poisoned) return kill(world, invocation, `a text kills it at ${name}`);
      const fate = drawFate(world, call);
      if (fate === 'crash-before') return kill(world, invocation, `before ${name}`);
      if (fate === 'fail-before') return fail(world, invocation, name, kind, 'before', reject);
      world.sequence += 1;
      let value: Value | undefined;
      let error: unknown;
      try {
        value = effect();
      } catch (refusal) {
        error = refusal;
        checkRefusal(world, name, refusal);
      }
      if (fate === 'crash-after') return kill(world, invocation, `after ${name}`);
      if (fate === 'fail-after') return fail(world, invocation, name, kind, 'after', reject);
      world.hasWoken = true;
      if (error !== undefined) {
        world.trace.event(`${name} refused`, invocation.number, () => String((error as Error).message));
        return reject(error);
      }
      world.trace.event(name, invocation.number, describe, value);
      resolve(value as Value);
    };
    world.scheduler.after(drawDelayMs(world, kind), arrive);
  });
}

function checkRefusal(world: World, name: string, refusal: unknown): void {
  if (refusal instanceof FreshetError) return;
  world.violate('no-surprise', `${name}: ${(refusal as Error).stack}`);
}

/** Waiting is a port call too: the process may be gone when it ends. */
export function sleep(world: World, invocation: Invocation, delayMs: number): Promise<void> {
  return new Promise(resolve => {
    const wake = () => {
      if (!isAwake(world, invocation, wake)) return;
      world.hasWoken = true;
      resolve();
    };
    world.scheduler.after(delayMs, wake);
  });
}

function isAwake(world: World, invocation: Invocation, again: () => void): boolean {
  if (invocation.state === 'dead') return false;
  if (invocation.state !== 'frozen') return true;
  if (invocation.thawMs === undefined) return false;
  const waitMs = invocation.thawMs - world.scheduler.nowMs();
  if (waitMs <= 0) return true;
  world.scheduler.after(waitMs, again);
  return false;
}

export function drawThawMs(world: World): number | undefined {
  return world.random.chance(0.4) ? world.scheduler.nowMs() + world.random.below(LONGEST_THAW_MS) : undefined;
}

function drawFate(world: World, call: number): Fate {
  if (world.forced && call > 0 && world.forced.call === call) return world.forced.fate;
  const { random, faults } = world;
  if (random.chance(faults.crash)) return random.chance(0.5) ? 'crash-before' : 'crash-after';
  if (random.chance(faults.failBefore)) return 'fail-before';
  return random.chance(faults.failAfter) ? 'fail-after' : 'ok';
}

function drawDelayMs(world: World, kind: PortKind): number {
  const { random, faults } = world;
  if (random.chance(faults.slow)) {
    world.hardFaults += 1;
    return random.below(kind === 'provider' ? 60_000 : 20_000);
  }
  return kind === 'provider' ? random.between(50, 3_000) : random.between(1, 30);
}

/** What the adapters turn a broken connection, a throttled queue or a lost reply into. */
function fail(
  world: World,
  invocation: Invocation,
  name: string,
  kind: PortKind,
  when: 'before' | 'after',
  reject: (error: FreshetError) => void,
): void {
  world.hardFaults += 1;
  world.hasWoken = true;
  const isUnknown = kind === 'database' && world.random.chance(0.1);
  // A provider that was not reached has done nothing; one that was not heard may have done its work.
  const lost = when === 'after' ? 'network_econnreset' : 'network_econnrefused';
  const other = kind === 'provider' ? lost : 'http_500';
  const code = isUnknown ? 'database_unclassified' : kind === 'database' ? 'sqlstate_08006' : other;
  world.trace.event(`${name} fails ${when}`, invocation.number, () => code);
  reject(new FreshetError(`simulated ${code}`, { failureClass: isUnknown ? 'unknown' : 'transient', code }));
}

function describe(value: unknown): string {
  if (value === undefined) return '';
  if (Buffer.isBuffer(value)) return `${value.length} bytes`;
  if (value instanceof Object && 'embedded' in value && value.embedded instanceof Set) {
    return JSON.stringify({ embedded: [...value.embedded] });
  }
  const text = JSON.stringify(value, (key, inner) =>
    key === 'source' || key === 'model' ? undefined : inner,
  );
  return text.length > 400 ? `${text.slice(0, 400)}…` : text;
}
