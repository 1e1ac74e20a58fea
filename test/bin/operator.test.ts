import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { makeFolder, readObject, runCli, startCli } from './run-cli.ts';

const { directory, remove } = makeFolder();
afterAll(remove);

const freshet = (...words: string[]) => runCli(directory, [...words, '--json']);

/** Of the rows that were reset; the watching run may have begun. */
let boughtAgain = 0;

/** The embedded database has one process at a time: the others ask that one. */
// Fourteen processes, most of which open a database.
const TIMEOUT_MS = 180_000;

describe('an operator beside a run on the embedded database', () => {
  it(
    'asks how it stands, pauses, resets, resumes and stops it from processes of their own',
    async () => {
      expect((await freshet('start')).code).toBe(0);
      const watching = startCli(directory, ['run', '--watch', '--watch-interval', '100ms', '--json']);
      await watching.errorsInclude('100.00 % covered');

      const paused = await freshet('pause', '--reason', 'night OPS-1');
      await watching.errorsInclude('pipeline is paused (operator): night OPS-1.');
      const status = await freshet('status');
      const mistyped = await freshet('pause', '--source', 'ai_item');
      const reset = await freshet('reset', '--all', '--apply', '--yes');
      const resumed = await freshet('resume');
      const stopped = await freshet('stop');
      const { code, errors, output } = await watching.ended;

      expect(readObject(paused)).toMatchObject({
        changed: true,
        paused: [{ scope: 'pipeline', detail: 'night OPS-1' }],
      });
      expect(readObject(status)).toMatchObject({
        spaces: [{ source: 'ai_items', model: 'hash', eligible: 2000, fresh: 2000 }],
        paused: [{ scope: 'pipeline', detail: 'night OPS-1' }],
        ledger: { providerCalls: 20 },
      });
      expect(mistyped).toMatchObject({ code: 2 });
      expect(mistyped.errors).toContain('source:ai_items, model:hash');
      expect(readObject(reset)).toMatchObject({ applied: true, rows: 2000 });
      expect(readObject(resumed)).toMatchObject({ changed: true, paused: [] });
      expect(stopped.code, stopped.errors).toBe(0);
      expect(readObject(stopped)).toEqual({ asked: 1, stopped: 1, stillRunning: 0 });
      expect(code, errors).toBe(130);
      expect(errors).toContain('another process asked for it: freshet stop');
      boughtAgain = JSON.parse(output).embedded + JSON.parse(output).copied;
      expect(readdirSync(join(directory, '.freshet/requests'))).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    'works without a run too, and the reset rows are bought again by the next',
    async () => {
      expect(readObject(await freshet('stop'))).toEqual({ asked: 0, stopped: 0, stillRunning: 0 });
      expect(readObject(await freshet('pause', '--model', 'hash'))).toMatchObject({ changed: true });
      const refused = await freshet('run');
      expect(readObject(await freshet('resume', '--model', 'hash'))).toMatchObject({ changed: true });
      const run = await freshet('run');

      expect(refused.code).toBe(1);
      expect(readObject(refused)).toMatchObject({ error: { code: 'operator' } });
      expect(run.code, run.errors).toBe(0);
      expect(readObject(run)).toMatchObject({ touched: 0, spaces: [{ fresh: 2000, stale: 0 }] });
      expect(boughtAgain + Number(readObject(run).embedded) + Number(readObject(run).copied)).toBe(2000);
    },
    TIMEOUT_MS,
  );
});
