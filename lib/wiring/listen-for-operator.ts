import { dirname, join } from 'node:path';
import { watchRequestFolder } from '../adapters/request-folder.ts';
import { createControlStore } from '../adapters/sql/control-store.ts';
import { createSystemClock } from '../adapters/system.ts';
import { NUDGED, runScope, STOP_REQUESTED } from '../core/control.ts';
import { refuseReadably } from '../pipeline/operate/reply.ts';
import type { Clock } from '../ports/process.ts';
import { createLocalAnswers, silentLogger } from './local-requests.ts';
import type { DatabasePlace, Workspace } from './workspace.ts';

/** A run notices within this time that it shall stop. */
const LOOK_EVERY_MS = 1000;

/** What a run hears of other processes while it works. */
interface OperatorListener {
  /** Aborts when `freshet stop` asked for it. */
  readonly stopped: AbortSignal;
  /** Begins to wait for a nudge: aborts at the first one from now on. */
  readonly nextNudge: () => AbortSignal;
  close(): Promise<void>;
}

/**
 * Listens, while a run works, for what an operator asks of it.
 *
 * Nobody else can open the files of an embedded database, so the run answers the operator's
 * requests itself, through a folder beside them. On a server other processes change what they
 * want, and the run only looks for the wish to stop.
 */
export async function listenForOperator(workspace: Workspace, runId: number): Promise<OperatorListener> {
  const stop = new AbortController();
  let nudge = new AbortController();
  const heard: Heard = { stop: () => stop.abort(), nudge: () => nudge.abort() };
  const closed = new AbortController();
  const clock = createSystemClock();
  const { place } = workspace;
  const listening = (
    place.kind === 'embedded'
      ? answerRequests(workspace, place, heard, closed.signal, clock)
      : lookForWishes(workspace, runId, heard, closed.signal, clock)
  ).catch(() => undefined);
  return {
    stopped: stop.signal,
    nextNudge: () => {
      nudge = new AbortController();
      return nudge.signal;
    },
    close: async () => {
      closed.abort('closed');
      await listening;
    },
  };
}

/** What the run is told of the wishes of others. */
interface Heard {
  readonly stop: () => void;
  readonly nudge: () => void;
}

/** The folder of requests, beside the database's lock, wherever a command is called. */
export function requestFolder(place: Extract<DatabasePlace, { kind: 'embedded' }>): string {
  return join(dirname(place.directory), 'requests');
}

async function answerRequests(
  workspace: Workspace,
  place: Extract<DatabasePlace, { kind: 'embedded' }>,
  heard: Heard,
  signal: AbortSignal,
  clock: Clock,
): Promise<void> {
  const answerLocally = createLocalAnswers(workspace);
  const answer = (request: unknown) =>
    refuseReadably(silentLogger, async () => {
      const { request: wish } = Object(request) as { readonly request?: unknown };
      if (wish === NUDGED) heard.nudge();
      else if (wish === STOP_REQUESTED) heard.stop();
      else return answerLocally(request);
      return { runs: 1 };
    });
  await watchRequestFolder(requestFolder(place), answer, { clock, signal });
}

async function lookForWishes(
  workspace: Workspace,
  runId: number,
  heard: Heard,
  signal: AbortSignal,
  clock: Clock,
): Promise<void> {
  const control = createControlStore(workspace.database);
  const scope = runScope(runId);
  for (; !signal.aborted; await clock.sleep(LOOK_EVERY_MS, signal)) {
    // A database that cannot be asked is a failure that the run itself reports.
    const reasons = await control.reasons(scope).catch(() => []);
    for (const { reason } of reasons) {
      // Cleared first: a nudge that comes from now on is another one, and gets a look of its own.
      await control.resume(scope, reason).catch(() => undefined);
      if (reason === NUDGED) heard.nudge();
      else if (reason === STOP_REQUESTED) return heard.stop();
    }
  }
}
