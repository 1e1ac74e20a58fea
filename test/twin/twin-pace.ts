import { FIRST_PACE, limitsAlike } from '../../lib/core/pace.ts';
import type { PaceStore } from '../../lib/ports/pace-store.ts';
import type { Synchronous } from './synchronous.ts';
import { seconds } from './timestamps.ts';
import type { TwinDatabase } from './twin-database.ts';
import { createTwinRates } from './twin-rate.ts';

/** Opens `PaceStore` on the twin: `pace-store.ts`. */
export function createTwinPace(twin: TwinDatabase): Synchronous<PaceStore> {
  const { paces } = twin;
  return {
    ...createTwinRates(twin),
    readPace: alias => paces.get(alias)?.pace,
    takeTurn: (alias, { callId, runId }, turnSeconds) => {
      const now = twin.now();
      const row = paces.get(alias) ?? { pace: FIRST_PACE, inFlight: new Map() };
      const isAlive = (turnId: string) =>
        !turnId.includes('/') || twin.liveRuns.has(Number(turnId.split('/')[0]));
      const live = [...row.inFlight].filter(([turnId, endsAt]) => endsAt > now && isAlive(turnId));
      const { callsAtOnce } = row.pace;
      if (callsAtOnce !== null && live.length >= callsAtOnce) return undefined;
      const turnId = runId === null ? callId : `${runId}/${callId}`;
      const inFlight = new Map([...live, [turnId, now + seconds(turnSeconds)] as const]);
      paces.set(alias, { ...row, inFlight });
      return { turnId, pace: row.pace, callsAtOnce: inFlight.size };
    },
    storePace: (alias, turnId, seen, learned) => {
      const row = paces.get(alias);
      if (!row) {
        paces.set(alias, { pace: learned, inFlight: new Map() });
        return;
      }
      row.inFlight.delete(turnId);
      if (limitsAlike(row.pace, seen)) row.pace = learned;
    },
  };
}
