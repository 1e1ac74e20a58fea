import { dirname, join } from 'node:path';
import { watchRequestFolder } from '../adapters/request-folder.ts';
import { createControlStore } from '../adapters/sql/control-store.ts';
import { createSystemClock } from '../adapters/system.ts';
import { runScope, STOP_REQUESTED } from '../core/control.ts';
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
  const closed = new AbortController();
  const clock = createSystemClock();
  const { place } = workspace;
  const listening = (
    place.kind === 'embedded'
      ? answerRequests(workspace, place, stop, closed.signal, clock)
      : lookForStop(workspace, runId, stop, closed.signal, clock)
  ).catch(() => undefined);
  return {
    stopped: stop.signal,
    close: async () => {
      closed.abort();
      await listening;
    },
  };
}

/** The folder of requests, beside the database's lock, wherever a command is called. */
export function requestFolder(place: Extract<DatabasePlace, { kind: 'embedded' }>): string {
  return join(dirname(place.directory), 'requests');
}

async function answerRequests(
  workspace: Workspace,
  place: Extract<DatabasePlace, { kind: 'embedded' }>,
  stop: AbortController,
  signal: AbortSignal,
  clock: Clock,
): Promise<void> {
  const answerLocally = createLocalAnswers(workspace);
  const answer = (request: unknown) =>
    refuseReadably(silentLogger, async () => {
      if (!isStopRequest(request)) return answerLocally(request);
      stop.abort();
      return { stopping: 1 };
    });
  await watchRequestFolder(requestFolder(place), answer, { clock, signal });
}

function isStopRequest(request: unknown): boolean {
  return (request as { request?: unknown } | null)?.request === STOP_REQUESTED;
}

async function lookForStop(
  workspace: Workspace,
  runId: number,
  stop: AbortController,
  signal: AbortSignal,
  clock: Clock,
): Promise<void> {
  const control = createControlStore(workspace.database);
  for (; !signal.aborted; await clock.sleep(LOOK_EVERY_MS, signal)) {
    // A database that cannot be asked is a failure that the run itself reports.
    const reasons = await control.reasons(runScope(runId)).catch(() => []);
    if (reasons.length > 0) stop.abort();
    if (stop.signal.aborted) break;
  }
  if (stop.signal.aborted) await control.resume(runScope(runId), STOP_REQUESTED).catch(() => undefined);
}
