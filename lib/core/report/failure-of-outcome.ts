const REFUSED = 'refused:';
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

/** Class and code that people see of a stored outcome; undefined: it is no failure. */
export function failureOfOutcome(
  outcome: string | null,
): { readonly failureClass: string; readonly code: string } | undefined {
  if (outcome === 'undelivered') return { failureClass: 'undelivered', code: 'undelivered' };
  if (outcome?.startsWith(REFUSED)) return { failureClass: 'item', code: outcome.slice(REFUSED.length) };
  return undefined;
}
