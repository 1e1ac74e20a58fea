import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runRequest } from '../../bin/commands/run.ts';
import { runFlags } from '../../bin/commands/run-flags.ts';
import { withMode } from '../../bin/commands/run-modes.ts';
import { readFlags } from '../../bin/terminal/flags.ts';
import { parseConfig } from '../../lib/core/config/parse-config.ts';
import { UsageError } from '../../lib/core/errors.ts';
import { makeFolder, runCli } from './run-cli.ts';

const source = { name: 'ai_items', table: 'ai_items', text: { columns: ['title'] }, model: 'static' };
const configure = (modes?: object) => parseConfig({ sources: [source], modes });
const read = (words: readonly string[], modes?: object) =>
  withMode(readFlags(words, runFlags).values, configure(modes));

describe('a mode of a run', () => {
  test('sets the flags that are not given', () => {
    expect(read(['--mode', 'bootstrap'])).toMatchObject({ 'batch-size': 64, 'pause-ms': 200 });
    expect(read(['--mode', 'maintenance'])).toMatchObject({ 'batch-size': 32, 'max-items': 20_000 });
    expect(read(['--batch-size', '7'])).toEqual({ 'batch-size': 7 });
  });

  test('yields to a flag that is given', () => {
    expect(read(['--mode', 'maintenance', '--max-items', '5'])).toMatchObject({
      'batch-size': 32,
      'max-items': 5,
    });
  });

  test('of the configuration sets every flag that it has a key for', () => {
    const night = {
      ...{ batchSize: 7, concurrency: 2, maxCharacters: 900, timeoutSeconds: 30, pauseMs: 5 },
      ...{ maxItems: 11, maxUsd: 0.5, failureLog: 'night.jsonl' },
    };
    expect(read(['--mode', 'night'], { night })).toEqual({
      ...{ mode: 'night', 'batch-size': 7, concurrency: 2, 'max-chars': 900, 'timeout-sec': 30 },
      ...{ 'pause-ms': 5, 'max-items': 11, 'max-usd': 0.5, 'failure-log': 'night.jsonl' },
    });
  });

  test('of the configuration takes the place of the one that comes with Freshet', () => {
    expect(read(['--mode', 'bootstrap'], { bootstrap: { batchSize: 9 } })).toEqual({
      mode: 'bootstrap',
      'batch-size': 9,
    });
  });

  test.each(['nigth', 'toString', 'constructor'])('that nobody knows, %s, is refused', name => {
    const refused = () => read(['--mode', name], { night: { maxItems: 1 } });

    expect(refused).toThrow(UsageError);
    expect(refused).toThrow(`"${name}" is no mode of a run.`);
  });

  test('that is misspelt is refused with the nearest name', () => {
    expect(() => read(['--mode', 'nigth'], { night: { maxItems: 1 } })).toThrow('Did you mean night?');
  });
});

describe('the section modes', () => {
  test.each([
    [{ night: { batchSise: 7 } }, 'modes.night.batchSise: is not a known key; did you mean "batchSize"?'],
    [{ night: { batchSize: 0 } }, 'modes.night.batchSize: expected a whole number from 1 to 2048, got 0'],
    [{ night: { maxUsd: 0 } }, 'modes.night.maxUsd: expected US dollars above 0'],
    [{ night: {} }, 'modes.night: expected an object such as'],
    [{ '-n': { maxItems: 1 } }, 'modes["-n"]: expected an object such as'],
    [['night'], 'modes: expected an object such as'],
  ])('refuses %j', (modes, problem) => {
    expect(() => configure(modes)).toThrow(problem);
  });
});

describe('freshet run --mode', () => {
  const files = makeFolder();
  const { directory } = files;

  beforeAll(async () => {
    const config = { sources: [source], modes: { night: { maxItems: 8, batchSize: 4 } } };
    await writeFile(join(directory, 'freshet.config.mjs'), `export default ${JSON.stringify(config)};`);
  });

  afterAll(files.remove);

  test('refuses a name that the configuration does not have, before a database is made', async () => {
    const { code, errors } = await runCli(directory, ['run', '--mode', 'nigth']);

    expect({ code, errors }).toEqual({ code: 2, errors: expect.stringContaining('Did you mean night?') });
    expect(existsSync(join(directory, '.freshet'))).toBe(false);
  });

  test('refuses --watch beside a mode of the configuration that stops', async () => {
    const { code, errors } = await runCli(directory, ['run', '--mode', 'night', '--watch']);

    expect({ code, errors }).toEqual({ code: 2, errors: expect.stringContaining('--watch goes on') });
  });

  test('sets the limits of the workspace', () => {
    const { values: flags } = readFlags(['--mode', 'night', '--concurrency', '3'], runFlags);
    const request = runRequest({ flags } as unknown as Parameters<typeof runRequest>[0]);

    expect(request.limits?.(configure({ night: { maxItems: 8, batchSize: 4 } }))).toEqual({
      batchSize: 4,
      concurrency: 3,
    });
  });
});
