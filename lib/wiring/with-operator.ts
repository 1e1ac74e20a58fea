import { DirectoryInUseError } from '../adapters/pglite/directory-in-use-error.ts';
import { findLife, type ProcessIdentity } from '../adapters/pglite/process-identity.ts';
import { readLiveRuns } from '../adapters/sql/control/read-live-runs.ts';
import { createControlStore } from '../adapters/sql/control/sql-control-store.ts';
import { requireSchemaRights } from '../adapters/sql/migrations/require-schema-rights.ts';
import { askThroughFolder } from '../adapters/system/request-folder.ts';
import { createSystemClock } from '../adapters/system/system-clock.ts';
import { UsageError } from '../core/errors/usage-error.ts';
import { isRunScope, runScope, STOP_REQUESTED } from '../core/model/run-scope.ts';
import { answerOperator } from '../pipeline/operate/answer-operator.ts';
import { parseOperateRequest } from '../pipeline/operate/parse-operate-request.ts';
import type { AskOperator, StatusAnswer } from '../ports/operator.ts';
import { ANSWER_MS, requestFolder } from './listen-for-operator.ts';
import { openOperatePorts } from './open-operate-ports.ts';
import { type Workspace, type WorkspaceRequest, withWorkspace } from './open-workspace.ts';
import { readReply } from './read-reply.ts';
import { readStatus } from './read-status.ts';

const ASK_TIMEOUT_MS = ANSWER_MS + 5_000;
const LOOK_EVERY_MS = 250;

interface LocalOperator {
  readonly ask: AskOperator;
  /** Asks every run on the database to stop after the batch in hand and waits up to `waitMs` for their end. */
  stopRuns(waitMs: number): Promise<{ readonly asked: number; readonly stillRunning: number }>;
}

/**
 * The operator of a database: through the database itself where it can be opened, else through the process that has the embedded one.
 * @throws UsageError where that process takes no requests: a command that is over soon, or one on another host.
 */
export function withOperator<Result>(
  request: WorkspaceRequest,
  use: (operator: LocalOperator) => Promise<Result>,
): Promise<Result> {
  return openOrAsk(request, async workspace => use(await operateDirectly(workspace)), use);
}

/** What `status` tells, from the database itself or from the run that has the embedded one. Only reads. */
export function askStatus(request: WorkspaceRequest): Promise<StatusAnswer> {
  return openOrAsk(request, readStatus, operator => operator.ask('status', {}));
}

async function openOrAsk<Result>(
  request: WorkspaceRequest,
  open: (workspace: Workspace) => Promise<Result>,
  ask: (operator: LocalOperator) => Promise<Result>,
): Promise<Result> {
  const held = await withWorkspace(request, async workspace => ({ result: await open(workspace) })).catch(
    error => {
      if (error instanceof DirectoryInUseError && error.holder !== undefined) return error;
      throw error;
    },
  );
  if (!(held instanceof DirectoryInUseError)) return held.result;
  return ask(operateThroughHolder(held, held.holder!));
}

async function operateDirectly(workspace: Workspace): Promise<LocalOperator> {
  await requireSchemaRights(workspace.database, 'write');
  const ask = async (name: string, details: object) => {
    try {
      return await answerOperator(
        await openOperatePorts(workspace),
        parseOperateRequest({ request: name, ...details }),
        () => Number.POSITIVE_INFINITY,
      );
    } catch (error) {
      throw toUsageError(error);
    }
  };
  return { ask: ask as AskOperator, stopRuns: waitMs => stopRuns(workspace, waitMs) };
}

function toUsageError(error: unknown): unknown {
  const isRefused = error instanceof Error && 'code' in error && error.code === 'bad_request';
  return isRefused ? new UsageError(error.message) : error;
}

async function stopRuns(
  { database }: Workspace,
  waitMs: number,
): Promise<{ asked: number; stillRunning: number }> {
  const control = createControlStore(database);
  const clock = createSystemClock();
  const live = await readLiveRuns(database);
  const scopes = live.map(runScope);
  // Left by runs that ended before they looked.
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

function operateThroughHolder(held: DirectoryInUseError, holder: ProcessIdentity): LocalOperator {
  const clock = createSystemClock();
  const isAlive = async () => (await findLife(holder)) === 'alive';
  const ask = async (request: object): Promise<object> => {
    const folder = requestFolder({ kind: 'embedded', directory: held.directory });
    const reply = await askThroughFolder(folder, request, {
      timeoutMs: ASK_TIMEOUT_MS,
      clock,
      isWatched: isAlive,
    });
    if (reply !== undefined) return readReply(reply);
    if (!(await isAlive()))
      throw new UsageError(
        `Process ${holder.pid}, which had the embedded database, ended before it answered.`,
        'Give the command again.',
      );
    throw new UsageError(
      `Process ${holder.pid} has the embedded database and takes no requests: it is no run, or it is busy. Nothing was changed.`,
      held.remedy,
    );
  };
  return {
    ask: ((name: string, details: object) => ask({ request: name, ...details })) as AskOperator,
    stopRuns: async waitMs => {
      await ask({ request: STOP_REQUESTED }).catch(async error => {
        // It may end while it is being asked to.
        if (await isAlive()) throw error;
      });
      const endsAtMs = clock.now() + waitMs;
      while ((await isAlive()) && clock.now() < endsAtMs) await clock.sleep(LOOK_EVERY_MS);
      return { asked: 1, stillRunning: (await isAlive()) ? 1 : 0 };
    },
  };
}
