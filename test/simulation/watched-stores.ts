import { FreshetError } from '../../lib/core/errors.ts';
import { noteGranted } from './check-caps.ts';
import { checkGrant } from './check-purchases.ts';
import { checkRateAnswer, checkRateNews } from './check-rate.ts';
import type { Invocation } from './invocation.ts';
import { isKiller } from './texts.ts';
import type { World } from './world.ts';

/** The embedding store, with what the checks need to know of its calls. */
export function watchEmbedding(world: World, current: () => Invocation): World['stores']['embedding'] {
  const { noteBill: _, ...embedding } = world.stores.embedding;
  return {
    ...embedding,
    readRows: (space, ids, maxBytes) => {
      const readings = embedding.readRows(space, ids, maxBytes);
      if (readings.some(({ columns }) => columns.some(text => text !== null && isKiller(text)))) {
        current().poisoned = true;
      }
      for (const { id, version, stored } of readings) {
        // What changed without its version is no edit: only the walk over all keys finds it.
        const hash = stored?.version === version ? null : (stored?.contentHash ?? null);
        current().storedHashes.set(`${space.spaceId}/${id}`, hash);
      }
      return readings;
    },
    grantCall: (space, grant) => {
      const refusal = embedding.grantCall(space, grant);
      if (refusal) return refusal;
      checkGrant(world, current(), space.spaceId);
      noteGranted(world, current(), grant.callId);
      current().grantedCallId = grant.callId;
      return undefined;
    },
  };
}

export function watchPace(world: World, current: () => Invocation): World['stores']['pace'] {
  const { pace } = world.stores;
  return {
    ...pace,
    takeRate: (alias, ask) => {
      const waitMs = pace.takeRate(alias, ask);
      checkRateAnswer(world, current(), alias, ask, waitMs);
      return waitMs;
    },
    noteRate: (alias, news) => {
      checkRateNews(world, current(), alias, news);
      pace.noteRate(alias, news);
    },
  };
}

function requireWritable(world: World): void {
  if (!world.readOnly) return;
  world.hardFaults += 1;
  throw new FreshetError('simulated 25006', { failureClass: 'stop', code: 'sqlstate_25006' });
}

/** Rows of the guard that are taken back. */
export function proveWrites(world: World, current: () => Invocation): void {
  requireWritable(world);
  current().wroteAt = world.sequence;
}

export function watchControl(world: World, current: () => Invocation): World['stores']['control'] {
  const { control } = world.stores;
  return {
    ...control,
    pause: (scope, reason, detail) => {
      if (reason === 'database') world.databasePausedAt = world.sequence;
      control.pause(scope, reason, detail);
    },
    resume: (scope, reason) => {
      const { wroteAt, recordSequence, component, number } = current();
      const isPaused = reason === 'database' && control.reasons(scope).some(pause => pause.reason === reason);
      if (isPaused && wroteAt < recordSequence) {
        world.violate('lifted-by-write', `${component} #${number} wrote nothing`);
      }
      if (reason === 'operator') world.violate('own-reason', `${component} #${number} resumes ${scope}`);
      control.resume(scope, reason);
    },
  };
}

/** The outcome store of a database that takes no writes for a while. */
export function watchOutcomes(world: World, current: () => Invocation): World['stores']['outcomes'] {
  const { outcomes } = world.stores;
  return {
    ...outcomes,
    writeResult: (space, result) => {
      requireWritable(world);
      current().wroteAt = world.sequence;
      return outcomes.writeResult(space, result);
    },
    writeResults: (space, results) => {
      requireWritable(world);
      current().wroteAt = world.sequence;
      return outcomes.writeResults(space, results);
    },
  };
}
