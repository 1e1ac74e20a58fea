import { describe, expect, test } from 'vitest';
import { FreshetError, UsageError } from '../../lib/core/errors.ts';
import { describeFailure, toFreshetError } from '../../lib/pipeline/failures.ts';

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

  const thrownAt = (message: string, ...frames: string[]) =>
    Object.assign(new TypeError(message), {
      stack: [`TypeError: ${message}`, ...frames.map(frame => `    at ${frame}`)].join('\n'),
    });
  const ours = 'detect (file:///home/me/app/lib/pipeline/detect/detect.ts:70:21)';

  test.each([
    ['our code', [ours], 'lib/pipeline/detect/detect.ts:70:21'],
    [
      'what our code called',
      ['Map.groupBy (<anonymous>)', 'q (/home/me/app/node_modules/pg/lib/client.js:1:2)', ours],
      'lib/pipeline/detect/detect.ts:70:21',
    ],
    ['a bundle', ['async Object.run (/var/task/index.mjs:3:400)'], 'index.mjs:3:400'],
    ['a frame without a name', ['/srv/lib/freshet/dist/lib/core/run-end.js:5:6'], 'lib/core/run-end.js:5:6'],
    ['nobody knows where', ['async Promise.all (index 0)'], undefined],
    ['the code of others', ['q (/home/me/node_modules/pg/lib/client.js:1:2)'], undefined],
  ])('says the place in %s, and none of the folders above', (_name, frames, place) => {
    const at = place === undefined ? '' : ` at ${place}`;

    expect(describeFailure(thrownAt('canary', ...frames)).message).toBe(
      `An unexpected TypeError was thrown${at}.`,
    );
  });

  test('never takes a row for a place, a name or a code', () => {
    const row = 'a text\n    at canary (/home/lib/canary.ts:1:2)\n';
    const named = Object.assign(new Error(row), { name: 'canary text', code: 'a canary' });

    expect(describeFailure(thrownAt(row, ours)).message).toBe(
      'An unexpected TypeError was thrown at lib/pipeline/detect/detect.ts:70:21.',
    );
    expect(describeFailure(Object.assign(new Error('other'), { stack: row })).message).not.toContain(
      'canary',
    );
    expect(describeFailure(named).message).toBe('An unexpected Error was thrown.');
  });

  test('names the code that Node gave', () => {
    const error = Object.assign(thrownAt('canary', ours), { code: 'ERR_INVALID_ARG_TYPE' });

    expect(describeFailure(error).message).toContain(
      'An unexpected TypeError (ERR_INVALID_ARG_TYPE) was thrown at lib/',
    );
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
