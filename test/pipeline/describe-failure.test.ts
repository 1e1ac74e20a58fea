import { describe, expect, test } from 'vitest';
import { FreshetError } from '../../lib/core/errors/freshet-error.ts';
import { UsageError } from '../../lib/core/errors/usage-error.ts';
import { describeFailure } from '../../lib/pipeline/describe-failure.ts';
import { toFreshetError } from '../../lib/pipeline/to-freshet-error.ts';

describe('a failure in words', () => {
  test.each([
    [
      'a failure of a port',
      new FreshetError('Busy.', { failureClass: 'throttled', code: 'rate_limit' }),
      'throttled',
      'rate_limit',
      'Busy.',
    ],
    ['what a person can mend', new UsageError('No table.'), 'stop', 'not_usable', 'No table.'],
    [
      'what a person can mend, with its remedy',
      new UsageError('No table.', 'Make one.'),
      'stop',
      'not_usable',
      'No table. Make one.',
    ],
    [
      'anything else, without its message',
      new TypeError('canary'),
      'unknown',
      'unexpected',
      'An unexpected TypeError was thrown.',
    ],
    ['what is no error', 'canary', 'unknown', 'unexpected', 'An unexpected string was thrown.'],
  ] as const)('is class, code and sentence of %s', (_name, error, failureClass, code, message) => {
    expect(describeFailure(error)).toEqual({ failureClass, code, message });
    expect(toFreshetError(error)).toMatchObject({ failureClass, code, message });
  });

  test('keeps an error of ours with its hint and its request id', () => {
    const details = {
      failureClass: 'throttled',
      code: 'rate_limit',
      retryAfterMs: 7,
      requestId: 'req_1',
    } as const;
    const error = new FreshetError('Busy.', details);

    expect(toFreshetError(error)).toBe(error);
  });
});
