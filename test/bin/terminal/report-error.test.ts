import { describe, expect, test } from 'vitest';
import { reportError } from '../../../bin/terminal/reports.ts';
import type { Terminal } from '../../../bin/terminal/terminal.ts';
import { FreshetError, SOURCE_FAULT_PREFIX } from '../../../lib/core/errors.ts';
import { classifyAwsFailure, classifyDatabaseFailure } from '../../../lib/core/failures.ts';
import { classifyProviderFailure } from '../../../lib/core/provider-failures.ts';

function report(error: unknown) {
  const said: string[] = [];
  const terminal = {
    note: (line: string) => said.push(line),
    result: (object: object) => said.push(JSON.stringify(object)),
    endProgress: () => {},
  };
  const code = reportError(error, terminal as unknown as Terminal);
  return { code, said: said.join('\n') };
}

describe('an error that nobody foresaw', () => {
  test('is told by its class and its place, never by its message, which may quote a row', () => {
    const { code, said } = report(new TypeError('cannot read "a secret row"'));

    expect(code).toBe(1);
    expect(said).toContain('An unexpected TypeError was thrown');
    expect(said).not.toContain('secret');
  });

  test('of the operating system names the path', () => {
    const error = Object.assign(new Error("EEXIST: file already exists, mkdir '.freshet'"), {
      ...{ code: 'EEXIST', syscall: 'mkdir' },
    });

    expect(report(error)).toMatchObject({ code: 1, said: expect.stringContaining("mkdir '.freshet'") });
  });
});

describe('a table that the application changed', () => {
  test('ends a command with 2, told without a code of ours', () => {
    const fault = new FreshetError('Source "items": "public"."items" has no column "body" any more.', {
      ...{ failureClass: 'stop', code: `${SOURCE_FAULT_PREFIX}column-missing` },
    });

    expect(report(fault)).toEqual({
      code: 2,
      said: expect.stringMatching(/freshet: Source "items": .* any more\.$/),
    });
  });
});

describe('a failure that ends a command', () => {
  const states = ['57014', '55P03', '40001', '40P01', '57P01', '08006', '53300'];
  test.each<readonly [string, FreshetError]>([
    ...states.map(sqlState => [sqlState, classifyDatabaseFailure({ sqlState })] as const),
    ['ECONNRESET', classifyDatabaseFailure({ networkCode: 'ECONNRESET' })],
    ['an AWS time-out', classifyAwsFailure({ service: 'SQS', timedOut: true })],
    ['a status 500', classifyProviderFailure({ status: 500 })],
  ])('does not say that anything is tried again, where it may pass: %s', (_, error) => {
    const { code, said } = report(error);

    expect(code).toBe(1);
    expect(said).toMatch(/othing is tried again by itself\./);
    expect(said).not.toMatch(/it is tried again|\(transient/i);
    expect(said).toContain(error.code);
  });

  test('that no waiting mends is told with its remedy, its code once and no class', () => {
    const { said } = report(classifyDatabaseFailure({ sqlState: '25006' }));

    expect(said.split('\n').at(-1)).toBe(
      'freshet: The database refused a statement (sqlstate_25006): the database takes no writes: it is a ' +
        'standby, or read-only. Nothing can be written until this is mended. Name the primary server, or ' +
        'set default_transaction_read_only to off for the role.',
    );
  });

  test('is told with its code where its words do not have it', () => {
    const error = new FreshetError('No way.', { failureClass: 'unknown', code: 'bad_reply' });

    expect(report(error).said).toContain('freshet: No way. (bad_reply)');
  });
});
