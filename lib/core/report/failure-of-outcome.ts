const REFUSED = 'refused:';
const UNDELIVERED = 'undelivered';
const FAILURE_CLASSES: readonly string[] = [
  'throttled',
  'transient',
  'too-large',
  'item',
  'stop',
  'unknown',
  'undelivered',
];

/** Whether a cause that a person typed is a failure class; any other cause is a code. */
export function isFailureClass(cause: string): boolean {
  return FAILURE_CLASSES.includes(cause);
}

/**
 * Translates a stored outcome into the failure class and code that people see.
 * Undefined where the outcome is no failure. The SQL of `failures` and `retry` translates the same
 * way.
 */
export function failureOfOutcome(
  outcome: string | null,
): { readonly failureClass: string; readonly code: string } | undefined {
  if (outcome?.startsWith(REFUSED)) return { failureClass: 'item', code: outcome.slice(REFUSED.length) };
  if (outcome === UNDELIVERED) return { failureClass: UNDELIVERED, code: UNDELIVERED };
  if (outcome?.startsWith(`${UNDELIVERED}:`))
    return { failureClass: UNDELIVERED, code: outcome.slice(UNDELIVERED.length + 1) };
  return undefined;
}
