import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import type { CommandDefinition } from '../../bin/commands/command.ts';
import { type CommandName, commandTable } from '../../bin/commands/table.ts';
import { keysAmong } from '../pages/command-keys.ts';
import { type CliResult, makeFolder, readObject, runCli, startCli } from './run-cli.ts';

const { directory, remove } = makeFolder();
afterAll(remove);

async function freshet(...words: [CommandName, ...string[]]): Promise<CliResult> {
  const result = await runCli(directory, [...words, '--json']);
  const { here } = commandTable[words[0]] as CommandDefinition;
  const keys = Object.keys(readObject(result));
  if (keys[0] !== 'error') expect(keys, words[0]).toEqual(keysAmong(here!.keys, keys));
  return result;
}

/** Of the rows that were reset; the watching run may have begun. */
let boughtAgain = 0;

// Up to twenty processes, most of which open a database.
const TIMEOUT_MS = 240_000;

/** As an outage leaves rows where the source records it: `onOutage: 'dead-letter'`. */
async function recordOutage(rows: number): Promise<void> {
  const result = await freshet(
    'sql',
    `UPDATE freshet.vectors_1 SET outcome = 'undelivered:http_503', embedding = NULL WHERE item_id <= ${rows}`,
  );
  expect(readObject(result), result.errors).toMatchObject({ affectedRows: rows });
}

/** The embedded database has one process at a time: the others ask that one. */
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
        spaces: [{ source: 'ai_items', model: 'static', eligible: 2000, fresh: 2000 }],
        paused: [{ scope: 'pipeline', detail: 'night OPS-1' }],
        ledger: { providerCalls: 20 },
      });
      expect(mistyped).toMatchObject({ code: 2 });
      expect(mistyped.errors).toContain('source:ai_items, model:static');
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
    'is nudged, and embeds at once what an interval of an hour would leave',
    async () => {
      expect(readObject(await freshet('nudge'))).toEqual({ runs: 0 });
      const watching = startCli(directory, ['run', '--watch', '--watch-interval', '1h', '--json']);
      while (!existsSync(join(directory, '.freshet/lock'))) await setTimeout(50);
      const untilFresh = async () => {
        while (!JSON.stringify(readObject(await freshet('status'))).includes('"fresh":2000'));
      };
      await untilFresh();
      await freshet('sql', "UPDATE ai_items SET summary = 'nudged', updated_at = now() WHERE id = 1");
      const edited = readObject(await freshet('status'));

      const nudged = readObject(await freshet('nudge'));
      await untilFresh();
      await freshet('stop');
      const watched = JSON.parse((await watching.ended).output);
      boughtAgain += watched.embedded + watched.copied - 1;

      expect(edited).toMatchObject({ spaces: [{ fresh: 1999 }] });
      expect(nudged).toEqual({ runs: 1 });
    },
    TIMEOUT_MS,
  );

  it(
    'works without a run too, and the reset rows are bought again by the next',
    async () => {
      expect(readObject(await freshet('stop'))).toEqual({ asked: 0, stopped: 0, stillRunning: 0 });
      expect(readObject(await freshet('pause', '--model', 'static'))).toMatchObject({ changed: true });
      const refused = await freshet('run');
      expect(readObject(await freshet('resume', '--model', 'static'))).toMatchObject({ changed: true });
      const run = await freshet('run');

      expect(refused.code).toBe(1);
      expect(readObject(refused)).toMatchObject({ error: { code: 'operator' } });
      expect(run.code, run.errors).toBe(0);
      expect(readObject(run)).toMatchObject({ touched: 0, spaces: [{ fresh: 2000, stale: 0 }] });
      expect(boughtAgain + Number(readObject(run).embedded) + Number(readObject(run).copied)).toBe(2000);
    },
    TIMEOUT_MS,
  );

  it(
    'reads failures, retries, searches, inspects and asks in SQL through the run',
    async () => {
      const watching = startCli(directory, ['run', '--watch', '--watch-interval', '100ms', '--json']);
      await watching.errorsInclude('% covered');

      await freshet('pause');
      await recordOutage(3);
      const failures = await freshet('failures');
      const found = await freshet('search', 'a large body of water', '--limit', '2');
      const unknownSource = await freshet('search', 'water', '--source', 'ai_item');
      const doctor = await freshet('doctor');
      const wrong = await freshet('sql', 'SELECT nothing FROM nowhere');
      const open = await freshet('sql', 'BEGIN; SET search_path = nowhere; DELETE FROM public.ai_items');
      const titles = await freshet('sql', 'SELECT count(title), 2::bigint ^ 62 AS big FROM ai_items');
      const retried = await freshet('retry', '--class', 'undelivered');
      const folder = join(directory, '.freshet/requests');
      const mode = statSync(folder).mode & 0o777;
      await freshet('resume');
      await freshet('stop');
      const { code, errors } = await watching.ended;

      expect(readObject(failures), failures.errors).toMatchObject({
        failures: [
          {
            ...{
              source: 'ai_items',
              model: 'static',
              failureClass: 'undelivered',
              code: 'http_503',
              rows: 3,
            },
            ...{ exampleIds: ['1', '2', '3'], advice: expect.stringContaining('retry --class undelivered') },
          },
        ],
      });
      expect(readObject(found), found.errors).toMatchObject({ source: 'ai_items', model: 'static' });
      expect(readObject(found).hits).toHaveLength(2);
      expect(unknownSource).toMatchObject({ code: 2 });
      expect(readObject(unknownSource)).toMatchObject({
        error: { message: expect.stringContaining('Did you mean ai_items'), remedy: 'Sources: ai_items' },
      });
      expect(doctor.code, doctor.errors).toBe(0);
      expect(readObject(doctor)).toMatchObject({ ok: true });
      expect(wrong).toMatchObject({ code: 2 });
      expect(wrong.errors).toContain('relation "nowhere" does not exist');
      expect(open.code, open.errors).toBe(0);
      expect(readObject(titles), titles.errors).toMatchObject({ rows: [{ count: 2000 }] });
      expect(readObject(retried), retried.errors).toEqual({ retried: 3 });
      expect(mode).toBe(0o700);
      expect(readdirSync(folder)).toEqual([]);
      expect(code, errors).toBe(130);
    },
    TIMEOUT_MS,
  );

  it(
    'waits for a command that is over soon, and opens the database then',
    async () => {
      const short = startCli(directory, ['sql', 'SELECT count(*) FROM generate_series(1, 3000000)']);
      while (!existsSync(join(directory, '.freshet/lock'))) await setTimeout(20);
      const status = await freshet('status');

      expect((await short.ended).code).toBe(0);
      expect(status.code, status.errors).toBe(0);
      expect(readObject(status)).toMatchObject({ spaces: [{ source: 'ai_items', eligible: 2000 }] });
    },
    TIMEOUT_MS,
  );

  it(
    'retries by the class that failures prints, without a run',
    async () => {
      await freshet('start');
      await recordOutage(2);

      expect(readObject(await freshet('failures'))).toMatchObject({
        failures: [{ failureClass: 'undelivered', code: 'http_503', rows: 2 }],
      });
      expect(readObject(await freshet('retry', '--class', 'undelivered'))).toEqual({ retried: 2 });
      expect(readObject(await freshet('retry', '--class', 'http_503'))).toEqual({ retried: 0 });
    },
    TIMEOUT_MS,
  );
});
