import type { GuardPorts, GuardState } from '../../lib/pipeline/guard/guard-ports.ts';
import type { ProbeClaims } from '../../lib/ports/control-store.ts';
import type { EmbeddingProvider } from '../../lib/ports/provider.ts';
import type { EventSource, EventSources } from '../../lib/ports/queues.ts';
import { seconds } from '../twin/timestamps.ts';
import { grantProbe } from '../twin/twin-embedding.ts';
import { callPort } from './call-port.ts';
import { noteGranted } from './check-caps.ts';
import { scheduleDelivery } from './deliver.ts';
import type { Invocation } from './invocation.ts';
import { queuesOf } from './services.ts';
import { answerCall } from './simulated-provider.ts';
import type { SimulatedQueue } from './simulated-queue.ts';
import type { World } from './world.ts';

/** No stopped model and no stopped database is tried more often. */
const PROBE_INTERVAL_SECONDS = 60;
/** How long an event source takes to open or close. */
const LONGEST_CHANGE_MS = 30_000;

/** Event sources are known by the names of their queues. */
export function mappingsOf({ services }: World): GuardPorts['mappings'] {
  const embed: Record<string, string[]> = {};
  for (const { alias, queue } of services.dispatch) {
    embed[alias] = [...(embed[alias] ?? []), queue.name];
  }
  return { embed, write: [services.results.name] };
}

/** The mark and the change are two requests, as they are on AWS: a guard may die between them. */
export function createEventSources(world: World, current: () => Invocation): EventSources {
  const call = <Value>(name: string, queue: SimulatedQueue, effect: () => Value) =>
    callPort(world, current(), `${name} ${queue.name}`, 'queue', effect);
  const find = (mappingId: string) =>
    queuesOf(world.services).find(({ name }) => name === mappingId) as SimulatedQueue;
  const change = (queue: SimulatedQueue, closed: boolean) => {
    queue.closed = closed;
    queue.changingUntilMs = world.scheduler.nowMs() + world.random.below(LONGEST_CHANGE_MS);
    if (!closed) scheduleDelivery(world, queue, 1);
  };
  return {
    read: mappingId => {
      const queue = find(mappingId);
      return call('read', queue, () => describeSource(world, queue));
    },
    close: async ({ mappingId }) => {
      const queue = find(mappingId);
      await call('mark', queue, () => {
        queue.closedByUs = true;
      });
      await call('close', queue, () => change(queue, true));
    },
    open: async ({ mappingId }) => {
      const queue = find(mappingId);
      await call('open', queue, () => change(queue, false));
      await call('unmark', queue, () => {
        queue.closedByUs = false;
      });
    },
  };
}

function describeSource(
  world: World,
  { name, closed, closedByUs, changingUntilMs }: SimulatedQueue,
): EventSource {
  const isChanging = world.scheduler.nowMs() < changingUntilMs;
  const state = isChanging ? 'changing' : closed ? 'closed' : 'open';
  return { mappingId: name, arn: `arn:${name}`, state, closedByUs };
}

/** Claims come a minute apart, and each is good for one probe. */
export function watchClaims(
  world: World,
  current: () => Invocation,
): { claim(...args: Parameters<ProbeClaims['claim']>): boolean } {
  const { probes } = world.stores;
  return {
    claim: (scope, reason, intervalSeconds) => {
      const isClaimed = probes.claim(scope, reason, intervalSeconds);
      if (!isClaimed) return false;
      const { claimedAt } = world.services;
      const now = world.twin.now();
      const waited = now - (claimedAt.get(scope) ?? Number.NEGATIVE_INFINITY);
      if (!world.application.clockStepped && waited < seconds(PROBE_INTERVAL_SECONDS)) {
        world.violate('probes-are-rare', `${scope} is claimed twice within ${waited} µs`);
      }
      claimedAt.set(scope, now);
      current().claims.add(scope);
      return true;
    },
  };
}

/** What the guard asks of the stopped model's provider. */
export function createProbedProvider(
  world: World,
  current: () => Invocation,
  alias: string,
  granted: ReadonlyMap<string, string>,
  limits: EmbeddingProvider['limits'],
): EmbeddingProvider {
  const scope = `model:${alias}`;
  return {
    limits,
    embed: request => {
      const invocation = current();
      return callPort(world, invocation, `probe ${alias}`, 'provider', () => {
        if (!invocation.claims.delete(scope)) {
          world.violate('probes-are-rare', `#${invocation.number} probes ${alias} without a claim`);
        }
        invocation.grantedCallId = granted.get(alias);
        const grant = world.twin.grants.get(invocation.grantedCallId ?? '');
        return answerCall(world, invocation, grant?.spaceId ?? 0, request);
      });
    },
  };
}

/** Grants the guard's probes as `lambda-guard.ts` does, and remembers whose call each is. */
export function watchProbeGrants(
  world: World,
  current: () => Invocation,
  granted: Map<string, string>,
): (...args: Parameters<GuardState['embedding']['grantCall']>) => undefined {
  return ({ model }, grant) => {
    granted.set(model.alias, grant.callId);
    grantProbe(world.twin, grant);
    noteGranted(world, current(), grant.callId, true);
    return undefined;
  };
}

/** Something that only the guard ends: a stop of the database or of a provider, or an event source that it closed. */
export function needsGuard({ twin, services }: World): boolean {
  const live = [...twin.spaces.values()].filter(({ retired }) => !retired);
  const models = new Set(live.map(({ space }) => `model:${space.model.alias}`));
  const isStopped = twin.pauses.some(
    ({ scope, reason }) => reason === 'database' || (reason.startsWith('provider:') && models.has(scope)),
  );
  return isStopped || queuesOf(services).some(({ closed, closedByUs }) => closed || closedByUs);
}
