import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');
const folder = mkdtempSync(path.join(tmpdir(), 'freshet-app-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** What `cdk` does: the program of `cdk.json`, the context in its environment, no credentials. */
function synthesise(context: Record<string, string>) {
  const { context: flags } = JSON.parse(readFileSync(path.join(root, 'cdk.json'), 'utf8'));
  const { status, stderr } = spawnSync(process.execPath, ['bin/app.ts'], {
    cwd: root,
    encoding: 'utf8',
    env: {
      PATH: process.env.PATH,
      CDK_OUTDIR: path.join(folder, 'cdk.out'),
      CDK_CONTEXT_JSON: JSON.stringify({ ...flags, ...context }),
    },
  });
  return { status, stderr };
}

test('a bare synth describes the demo, needs no credentials, and leaves nothing for git', () => {
  const { status, stderr } = synthesise({});

  expect(status, stderr).toBe(0);
  const files = readdirSync(path.join(folder, 'cdk.out'));
  expect(files).toContain('freshet-dev.template.json');
  expect(readFileSync(path.join(folder, 'cdk.out', '.gitignore'), 'utf8').trim()).toBe('*');
}, 240_000);

test.each([
  [{ stage: 'de' }, '"de" is no stage of the configuration (known: dev). Did you mean -c stage=dev?'],
  [{ paused: 'maybe' }, '-c paused=maybe is neither true nor false.'],
  [{ config: 'nowhere.ts' }, 'The configuration nowhere.ts does not exist.'],
])('a mistake is told in a sentence, without a stack: %j', (context, sentence) => {
  const { status, stderr } = synthesise(context);

  expect(status).toBe(2);
  expect(stderr).toContain(sentence);
  expect(stderr).not.toMatch(/\n\s+at /);
});
