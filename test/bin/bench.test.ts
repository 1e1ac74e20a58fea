import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, expect, it } from 'vitest';
import { commandTable } from '../../bin/commands/table.ts';
import { makeFolder, readObject, runCli } from './run-cli.ts';

const { directory, remove } = makeFolder();
afterAll(remove);

const listScratch = () => readdirSync(tmpdir()).filter(name => name.startsWith('freshet-bench-'));

const read = async (...words: string[]) => readObject(await runCli(directory, [...words, '--json']));

it('embeds a copy of the rows once per batch size, and keeps nothing of it', async () => {
  await read('start');
  const [before, foldersBefore] = [await read('status'), listScratch()];

  const bench = await read('bench', '--items', '40', '--batch-sizes', '10,20');

  expect(Object.keys(bench)).toEqual(commandTable.bench.here.keys);
  expect(bench).toMatchObject({ source: 'ai_items', model: 'static', items: 40 });
  expect(bench.runs).toMatchObject([
    { batchSize: 10, end: 'complete', items: 40, providerCalls: 4, costUsd: 0 },
    { batchSize: 20, end: 'complete', items: 40, providerCalls: 2, costUsd: 0 },
  ]);
  for (const run of bench.runs as Record<string, number>[])
    for (const name of ['seconds', 'itemsPerSecond', 'cpuMsPerThousand', 'peakMemoryBytes', 'tokens'])
      expect(run[name], name).toBeGreaterThan(0);
  const { ledger, spaces } = await read('status');
  expect([ledger, spaces]).toMatchObject([
    { providerCalls: 20 },
    [{ lastUpdate: (before.spaces as Record<string, unknown>[])[0]!.lastUpdate }],
  ]);
  expect(listScratch().filter(name => !foldersBefore.includes(name))).toEqual([]);
}, 120_000);

it('says which batch size, source or model there is not', async () => {
  const refused = async (...words: string[]) => {
    const { code, errors } = await runCli(directory, ['bench', ...words]);
    return [code, errors.trim()];
  };

  expect(await refused('--batch-sizes', '50,0')).toEqual([
    2,
    expect.stringContaining('--batch-sizes "0": expected a whole number from 1 to 2048.'),
  ]);
  expect(await refused('--model', 'none')).toEqual([2, expect.stringContaining('There is no model "none".')]);
  expect(await refused('--source', 'none')).toEqual([2, expect.stringContaining('Sources: ai_items')]);
}, 60_000);
