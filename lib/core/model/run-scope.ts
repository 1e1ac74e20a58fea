/** `reason` in `freshet.control`, scope `run:<run id>`: an operator asks that local run to stop after the batch in hand. */
export const STOP_REQUESTED = 'stop';

const PREFIX = 'run:';

export function runScope(runId: number): string {
  return `${PREFIX}${runId}`;
}

/** Such a reason concerns one run and pauses nothing. */
export function isRunScope(scope: string): boolean {
  return scope.startsWith(PREFIX);
}
