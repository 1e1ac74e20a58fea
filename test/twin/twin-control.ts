import { ORPHANS_CONFIRMED } from '../../lib/core/control.ts';
import type { Space } from '../../lib/core/model.ts';
import type { ControlStore, ProbeClaims, SpaceRegistry } from '../../lib/ports/control-store.ts';
import type { Synchronous } from './synchronous.ts';
import { printTimestamp, seconds } from './timestamps.ts';
import type { TwinDatabase, TwinPause } from './twin-database.ts';

/** Opens `ControlStore` on the twin: `sql-control-store.ts`. */
export function createTwinControl(twin: TwinDatabase): Synchronous<ControlStore> {
  const { pauses } = twin;
  const find = (scope: string, reason: string) =>
    pauses.findIndex(pause => pause.scope === scope && pause.reason === reason);
  return {
    pause: (scope, reason, detail) => {
      const pause = pauses[find(scope, reason)];
      if (pause) pause.detail = detail;
      else pauses.push({ scope, reason, detail, since: twin.now() });
    },
    resume: (scope, reason) => {
      const place = find(scope, reason);
      if (place >= 0) pauses.splice(place, 1);
    },
    reasons: scope =>
      pauses
        .filter(pause => scope === undefined || pause.scope === scope)
        .sort(byAge)
        .map(({ scope, reason, detail, since }) => ({ scope, reason, detail, since: printTimestamp(since) })),
  };
}

/** Finds the eldest reason why no call may be made for the space: `grant-call.ts`. */
export function findPause(twin: TwinDatabase, { model, source }: Space): TwinPause | undefined {
  const scopes = ['pipeline', `model:${model.alias}`, `source:${source.name}`];
  return twin.pauses
    .filter(({ scope, reason }) => scopes.includes(scope) && reason !== ORPHANS_CONFIRMED)
    .sort(byAge)[0];
}

const byAge = (a: TwinPause, b: TwinPause) =>
  a.since - b.since || compare(a.scope, b.scope) || compare(a.reason, b.reason);

/** Opens `ProbeClaims` on the twin: `sql-probe-claims.ts`. */
export function createTwinProbeClaims(twin: TwinDatabase): Synchronous<ProbeClaims> {
  return {
    claim: (scope, reason, intervalSeconds) => {
      const now = twin.now();
      const pause = twin.pauses.find(found => found.scope === scope && found.reason === reason);
      if (!pause || (pause.probedAt ?? pause.since) > now - seconds(intervalSeconds)) return false;
      pause.probedAt = now;
      return true;
    },
  };
}

/** Opens `SpaceRegistry` on the twin: retired spaces are not there. */
export function createTwinRegistry(twin: TwinDatabase): Synchronous<SpaceRegistry> {
  return {
    list: () => [...twin.spaces.values()].filter(({ retired }) => !retired).map(({ space }) => space),
    find: spaceId => {
      const found = twin.spaces.get(spaceId);
      return found && !found.retired ? found.space : undefined;
    },
  };
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
