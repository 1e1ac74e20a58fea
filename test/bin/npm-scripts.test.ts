import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { describe, expect, test } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');

/** Runs npm in the checkout as a person does, without what an outer npm left in the environment. */
function runNpm(...words: string[]) {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^npm_/i.test(name) || /registry|cache|userconfig/.test(name),
    ),
  );
  return spawnSync('npm', words, { cwd: root, env, encoding: 'utf8' });
}

describe('npm in this checkout', () => {
  test('answers a person in words, not in JSON', () => {
    expect(runNpm('config', 'get', 'json').stdout.trim()).toBe('false');
  });

  test('leaves one object on standard output of a failing command under --json', () => {
    const { status, stdout } = runNpm('run', '--silent', 'freshet', '--', 'run', '--max-wiat', '3', '--json');

    expect(status).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ error: { message: expect.stringContaining('--max-wait') } });
  });

  test('adds nothing of its own to the message of a failing command', () => {
    const { status, stderr } = runNpm('run', 'freshet', '--', 'run', '--max-wiat', '3');

    expect(status).toBe(2);
    expect(stderr).toContain('freshet: --max-wiat is not a flag');
    expect(stderr).not.toMatch(/npm (ERR|error)/i);
  });
});
