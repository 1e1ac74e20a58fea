import { chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { makeFolder, runCli } from './run-cli.ts';

const { directory, remove } = makeFolder();
afterAll(remove);

it('leaves .freshet to its owner alone, also where an earlier version made it wider', async () => {
  const folder = join(directory, '.freshet');
  mkdirSync(folder);
  chmodSync(folder, 0o755);
  for (const name of ['log.jsonl', 'log.jsonl.1']) {
    writeFileSync(join(folder, name), '');
    chmodSync(join(folder, name), 0o664);
  }
  chmodSync(directory, 0o755);

  const run = await runCli(directory, ['start', '--max-items', '10']);

  expect(run.code, run.errors).toBe(5);
  const below = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  expect(below).toEqual(expect.arrayContaining(['log.jsonl', 'metrics.jsonl', 'database/PG_VERSION']));
  const open = ['', ...below].filter(name => (statSync(join(folder, name)).mode & 0o077) !== 0);
  expect(open).toEqual([]);
  expect(statSync(directory).mode & 0o777).toBe(0o755);
}, 240_000);
