const REFUSED = 'refused:';
const UNDELIVERED = 'undelivered';

interface OutcomeFailure {
  readonly failureClass: string;
  readonly code: string;
}

/**
 * Translates a stored outcome into the failure class and code that people see.
 * Undefined where the outcome is no failure. The SQL of `failures` and `retry` translates the same
 * way.
 */
export function failureOfOutcome(outcome: string | null): OutcomeFailure | undefined {
  if (outcome?.startsWith(REFUSED)) return { failureClass: 'item', code: outcome.slice(REFUSED.length) };
  if (outcome === UNDELIVERED) return { failureClass: UNDELIVERED, code: UNDELIVERED };
  if (outcome?.startsWith(`${UNDELIVERED}:`))
    return { failureClass: UNDELIVERED, code: outcome.slice(UNDELIVERED.length + 1) };
  return undefined;
}

/**
 * Whether a failure is one that a person means by `cause`: its class or its code, as `failures` prints them.
 * No failure matches no cause. The SQL of `retry` says the same.
 */
export function isOfCause(failure: OutcomeFailure | undefined, cause: string): boolean {
  return failure !== undefined && (failure.failureClass === cause || failure.code === cause);
}
