import type { ControlStore } from '../../lib/ports/control-store.ts';
import type { SpaceRegistry } from '../../lib/ports/space-registry.ts';
import type { MemoryDatabase } from './memory-database.ts';

export function createMemoryControlStore(database: MemoryDatabase): ControlStore {
  const { pauses } = database;
  const find = (scope: string, reason: string) =>
    pauses.findIndex(pause => pause.scope === scope && pause.reason === reason);
  return {
    async pause(scope, reason, detail) {
      database.record(`pause ${scope} ${reason}`);
      if (find(scope, reason) < 0) pauses.push({ scope, reason, detail, since: '' });
    },
    async resume(scope, reason) {
      const place = find(scope, reason);
      if (place >= 0) pauses.splice(place, 1);
    },
    async reasons(scope) {
      return pauses.filter(pause => scope === undefined || pause.scope === scope);
    },
  };
}

export function createMemorySpaceRegistry(database: MemoryDatabase): SpaceRegistry {
  const live = database.spaces.filter(({ status }) => status !== 'retired');
  return {
    list: async () => live,
    find: async spaceId => live.find(space => space.spaceId === spaceId),
  };
}
