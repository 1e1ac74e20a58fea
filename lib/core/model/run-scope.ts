/**
 * The `reason` in `freshet.control` by which an operator asks a local run to stop.
 * Its scope is `run:<run id>`. The run stops after the batch in hand.
 */
export const STOP_REQUESTED = 'stop';

const PREFIX = 'run:';

export function runScope(runId: number): string {
  return `${PREFIX}${runId}`;
}

/** Whether a scope concerns one run. Reasons of such a scope pause nothing. */
export function isRunScope(scope: string): boolean {
  return scope.startsWith(PREFIX);
}
