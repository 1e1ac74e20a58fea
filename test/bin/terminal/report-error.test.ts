import { describe, expect, test } from 'vitest';
import { reportError } from '../../../bin/terminal/reports.ts';
import type { Terminal } from '../../../bin/terminal/terminal.ts';

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
