import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
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

describe('a Node that cannot run TypeScript, as after npm ci --ignore-scripts', () => {
  const scripts: Record<string, string> = JSON.parse(
    readFileSync(path.join(root, 'package.json'), 'utf8'),
  ).scripts;
  const cdk: string = JSON.parse(readFileSync(path.join(root, 'cdk.json'), 'utf8')).app;
  const started = [...Object.entries(scripts), ['cdk', cdk] as const].filter(([, script]) =>
    /\bnode .*\.ts\b/.test(script),
  );

  test('is told so in one sentence by every script that starts a .ts file', () => {
    expect(started.length).toBeGreaterThan(10);
    expect(started.filter(([, script]) => !/\bnode -r \.\/bin\/require-node\.cjs /.test(script))).toEqual([]);
  });

  test('sees no stack', () => {
    // Stripping is switched off, which is how this Node tells what an older one tells.
    const words = [
      '--no-experimental-strip-types',
      '-r',
      './bin/require-node.cjs',
      'bin/freshet.ts',
      'start',
    ];
    const { status, stdout, stderr } = spawnSync(process.execPath, words, { cwd: root, encoding: 'utf8' });

    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(
      /^freshet: Node \d+\.\d+\.\d+ cannot run this checkout, .*npm ci, without --ignore-scripts.*\n$/,
    );
  });
});
