import { DirectoryInUseError, findLife, type ProcessIdentity } from '../adapters/pglite/lock-directory.ts';
import { askThroughFolder } from '../adapters/request-folder.ts';
import { createControlStore } from '../adapters/sql/control-store.ts';
import type { SqlDatabase } from '../adapters/sql/database.ts';
import { readLiveRuns } from '../adapters/sql/leases.ts';
import { requireSchemaRights } from '../adapters/sql/migrations/migrate.ts';
import { readSchemaVersion } from '../adapters/sql/migrations/schema-version.ts';
import { createSystemClock } from '../adapters/system.ts';
import { isRunScope, NUDGED, runScope, STOP_REQUESTED } from '../core/control.ts';
import { FreshetError, UsageError } from '../core/errors.ts';
import { readOperateReply } from '../pipeline/operate/reply.ts';
import type { NudgeAnswer } from '../ports/rows-operator.ts';
import { requestFolder } from './listen-for-operator.ts';
import { type AskLocally, createLocalAnswers } from './local-requests.ts';
import { type Workspace, type WorkspaceRequest, withWorkspace } from './workspace.ts';

/**
 * How long a request may lie until a run takes it up.
 * A run that works looks five times a second; one that is being prepared looks when it begins.
 */
const TAKEN_WITHIN_MS = 25_000;
/** How long an answer may take: a search waits for its provider, a statement as it needs. */
const ANSWERED_WITHIN_MS = 10 * 60_000;
const LOOK_EVERY_MS = 250;
/**
 * How long a statement of an operator waits for a lock.
 * A migration of the application can hold a table for hours, and whoever asks how things stand
 * must hear of it. A run waits: it has nothing else to do.
 */
const LOCK_TIMEOUT_MS = 5_000;

export interface LocalOperator {
  readonly ask: AskLocally;
  /** Asks every run on the database to look now. A run that does not watch ends as it would. */
  nudgeRuns(): Promise<NudgeAnswer>;
  /**
   * Asks every run on the database to stop after the batch in hand.
   * Waits up to `waitMs` for their end.
   */
  stopRuns(waitMs: number): Promise<{ readonly asked: number; readonly stillRunning: number }>;
}

export interface OperatorRequest extends WorkspaceRequest {
  /** Aborts: a request that no process has taken up yet is taken back. */
  readonly signal: AbortSignal;
}

/**
 * Lets `use` operate a database: the database itself, or the process that has it.
 *
 * The process is asked where it has the embedded database. If that process ends before it takes
 * the first request up, the database is opened after all.
 * @throws UsageError where that process takes no requests for 25 seconds, or is on another host
 */
export async function withOperator<Result>(
  request: OperatorRequest,
  use: (operator: LocalOperator) => Promise<Result>,
): Promise<Result> {
  for (;;) {
    const held = await withWorkspace({ ...request, lockTimeoutMs: LOCK_TIMEOUT_MS }, async workspace => ({
      result: await use(operateDirectly(workspace)),
    })).catch(error => {
      if (error instanceof DirectoryInUseError && error.holder !== undefined) return error;
      throw error;
    });
    if (!(held instanceof DirectoryInUseError)) return held.result;
    try {
      return await use(operateThroughHolder(held, held.holder!, request.signal));
    } catch (error) {
      if (!(error instanceof HolderEndedError)) throw error;
    }
  }
}

/** The process that had the embedded database ended before it was asked anything. */
class HolderEndedError extends Error {}

function operateDirectly(workspace: Workspace): LocalOperator {
  const answer = createLocalAnswers(workspace);
  const ask = async (name: string, details: object) => {
    try {
      return await answer({ request: name, ...details });
    } catch (error) {
      const isRefused = error instanceof FreshetError && error.code === 'bad_request';
      throw isRefused ? new UsageError(error.message) : error;
    }
  };
  return {
    ask: ask as AskLocally,
    nudgeRuns: () => nudgeRuns(workspace.database),
    stopRuns: waitMs => stopRuns(workspace, waitMs),
  };
}

/**
 * Leaves the wish for every live run on a server.
 * A wish is one row of a run, however often it is left.
 */
export async function nudgeRuns(database: SqlDatabase): Promise<NudgeAnswer> {
  await requireSchemaRights(database, 'write');
  const control = createControlStore(database);
  const live = await readLiveRuns(database);
  for (const runId of live) await control.pause(runScope(runId), NUDGED, '');
  return { runs: live.length };
}

async function stopRuns(
  { database }: Workspace,
  waitMs: number,
): Promise<{ asked: number; stillRunning: number }> {
  await requireSchemaRights(database, 'write');
  const control = createControlStore(database);
  const clock = createSystemClock();
  const live = await readLiveRuns(database);
  // A run makes the schema before it looks whether it shall stop.
  if ((await readSchemaVersion(database.kysely)).version === 0) return { asked: 0, stillRunning: 0 };
  const scopes = live.map(runScope);
  // These wishes were left by runs that ended before they looked.
  for (const { scope, reason } of await control.reasons())
    if (isRunScope(scope) && !scopes.includes(scope)) await control.resume(scope, reason);
  for (const scope of scopes) await control.pause(scope, STOP_REQUESTED, '');
  const endsAtMs = clock.now() + waitMs;
  const countRunning = async () => (await readLiveRuns(database)).filter(id => live.includes(id)).length;
  let stillRunning = await countRunning();
  while (stillRunning > 0 && clock.now() < endsAtMs) {
    await clock.sleep(LOOK_EVERY_MS);
    stillRunning = await countRunning();
  }
  return { asked: live.length, stillRunning };
}

function operateThroughHolder(
  held: DirectoryInUseError,
  holder: ProcessIdentity,
  signal: AbortSignal,
): LocalOperator {
  const clock = createSystemClock();
  const folder = requestFolder({ kind: 'embedded', directory: held.directory });
  const isAlive = async () => (await findLife(holder)) === 'alive';
  let hasAnswered = false;
  const ask = async (request: object): Promise<object> => {
    const reply = await askThroughFolder(folder, request, {
      pickupTimeoutMs: TAKEN_WITHIN_MS,
      answerTimeoutMs: ANSWERED_WITHIN_MS,
      clock,
      isWatched: isAlive,
      signal,
    });
    if (reply.state === 'answered') {
      hasAnswered = true;
      return readOperateReply(reply.answer);
    }
    if (signal.aborted) throw new UsageError(describeInterruption(holder, reply.state));
    if (await isAlive()) throw new UsageError(describeSilence(holder, reply.state), held.remedy);
    if (reply.state === 'untaken' && !hasAnswered) throw new HolderEndedError();
    throw new UsageError(
      `Process ${holder.pid}, which had the embedded database, ended before it answered.`,
      'Give the command again.',
    );
  };
  return {
    ask: ((name: string, details: object) => ask({ request: name, ...details })) as AskLocally,
    nudgeRuns: async () => (await ask({ request: NUDGED })) as NudgeAnswer,
    stopRuns: async waitMs => {
      await ask({ request: STOP_REQUESTED }).catch(async error => {
        // The process may end while it is being asked to.
        if (error instanceof HolderEndedError || (await isAlive())) throw error;
      });
      const endsAtMs = clock.now() + waitMs;
      while ((await isAlive()) && clock.now() < endsAtMs) await clock.sleep(LOOK_EVERY_MS);
      return { asked: 1, stillRunning: (await isAlive()) ? 1 : 0 };
    },
  };
}

function describeInterruption({ pid }: ProcessIdentity, state: 'untaken' | 'unanswered'): string {
  return state === 'untaken'
    ? 'Interrupted. Nothing was changed.'
    : `Interrupted. Process ${pid}, which has the embedded database, goes on with what it was asked.`;
}

function describeSilence({ pid }: ProcessIdentity, state: 'untaken' | 'unanswered'): string {
  return state === 'untaken'
    ? `Process ${pid} has the embedded database and takes no requests: it is no run, or it is busy. ` +
        'Nothing was changed.'
    : `Process ${pid}, which has the embedded database, took the request up and gives no answer.`;
}
