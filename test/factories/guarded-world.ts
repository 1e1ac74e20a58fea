import { FreshetError } from '../../lib/core/errors/freshet-error.ts';
import type { GuardPorts, GuardState } from '../../lib/pipeline/guard/guard-ports.ts';
import { createMemoryEventSources } from '../doubles/memory-event-sources.ts';
import { makeSpace } from './space.ts';
import { makeWorld } from './world.ts';

export const MAPPINGS = {
  embed: { small: ['small-fresh', 'small-bulk'], large: ['large-fresh', 'large-bulk'] },
  write: ['write'],
};

/** A guard over two models on doubles, and what goes wrong around it. */
export function makeGuardedWorld() {
  const small = makeSpace();
  const large = makeSpace({ spaceId: 2, model: { ...small.model, alias: 'large' } });
  const world = makeWorld([small, large]);
  const eventSources = createMemoryEventSources([...Object.values(MAPPINGS.embed).flat(), ...MAPPINGS.write]);
  const probedAtMs = new Map<string, number>();
  const troubles = { databaseDown: false, rightsMissing: false };
  const refuse = (code: string, failureClass: 'stop' | 'transient') => {
    throw new FreshetError('scripted', { failureClass, code });
  };
  const sinceMs = world.clock.now();
  const state: GuardState = {
    control: world.control,
    spaces: world.spaces,
    embedding: {
      grantCall: async (_, grant) => void world.database.grants.set(grant.callId, grant),
      revokeGrant: world.embedPorts.embedding.revokeGrant,
    },
    outcomes: world.writePorts.outcomes,
    probes: {
      async claim(scope, reason, intervalSeconds) {
        const key = `${scope} ${reason}`;
        const lastMs = probedAtMs.get(key) ?? sinceMs;
        if (world.clock.now() - lastMs < intervalSeconds * 1000) return false;
        probedAtMs.set(key, world.clock.now());
        return true;
      },
    },
    requireWrites: async () => {
      if (troubles.rightsMissing) refuse('sqlstate_42501', 'stop');
    },
  };
  const ports: GuardPorts = {
    ...world,
    mappings: MAPPINGS,
    eventSources,
    providers: () => world.provider,
    openState: async () =>
      (troubles.databaseDown ? refuse('network_econnrefused', 'transient') : state) as GuardState,
  };
  return { ...world, ports, eventSources, troubles };
}
