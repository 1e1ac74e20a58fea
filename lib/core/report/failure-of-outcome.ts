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

/** Whether a cause that a person typed is a class; else it is a code. */
export function isFailureClass(cause: string): boolean {
  return FAILURE_CLASSES.includes(cause);
}

/** Class and code that people see of a stored outcome, as the SQL of `failures` and `retry` says them; undefined: it is no failure. */
export function failureOfOutcome(
  outcome: string | null,
): { readonly failureClass: string; readonly code: string } | undefined {
  if (outcome?.startsWith(REFUSED)) return { failureClass: 'item', code: outcome.slice(REFUSED.length) };
  if (outcome === UNDELIVERED) return { failureClass: UNDELIVERED, code: UNDELIVERED };
  if (outcome?.startsWith(`${UNDELIVERED}:`))
    return { failureClass: UNDELIVERED, code: outcome.slice(UNDELIVERED.length + 1) };
  return undefined;
}
