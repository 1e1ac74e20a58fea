import { describe, expect, test } from 'vitest';
import { failureOfOutcome, isOfCause } from '../../../lib/core/outcomes.ts';

describe('a stored outcome', () => {
  test.each([
    ['refused:http_400', 'item', 'http_400'],
    ['undelivered', 'undelivered', 'undelivered'],
    ['undelivered:insufficient_quota', 'undelivered', 'insufficient_quota'],
  ])('%s is a failure of class %s with code %s', (outcome, failureClass, code) => {
    expect(failureOfOutcome(outcome)).toEqual({ failureClass, code });
    expect([failureClass, code].every(cause => isOfCause({ failureClass, code }, cause))).toBe(true);
    expect(isOfCause({ failureClass, code }, 'http')).toBe(false);
  });

  test.each(['embedded', 'excluded:empty', 'too-long', null])('%s is none', outcome => {
    expect(failureOfOutcome(outcome)).toBeUndefined();
    expect(isOfCause(failureOfOutcome(outcome), 'item')).toBe(false);
  });
});
