import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '../..');

/**
 * Runs the program of `cdk.json` as `cdk` does, without credentials.
 *
 * The environment has the context of `cdk.json` and `context`; the assembly is written to
 * `folder`.
 */
export function runApp(
  folder: string,
  context: Readonly<Record<string, unknown>>,
  environment: Readonly<Record<string, string>> = {},
) {
  const { context: flags } = JSON.parse(readFileSync(path.join(root, 'cdk.json'), 'utf8'));
  const { status, stderr } = spawnSync(process.execPath, ['bin/app.ts'], {
    cwd: root,
    encoding: 'utf8',
    env: {
      PATH: process.env.PATH,
      CDK_OUTDIR: folder,
      CDK_CONTEXT_JSON: JSON.stringify({ ...flags, ...context }),
      ...environment,
    },
  });
  return { status, stderr };
}
