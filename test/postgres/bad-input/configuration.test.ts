import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readObject } from '../../bin/run-cli.ts';
import { CANARY, createItems, itemsSource, openWorkbench, type Workbench } from './open-workbench.ts';

let bench: Workbench;
beforeAll(async () => {
  bench = await openWorkbench();
  await createItems(bench, [CANARY]);
});
afterAll(() => bench.close());

const tiny = { provider: 'openai', modelId: 'tiny-1', dimensions: 8, baseUrl: 'SERVER' };

describe('unknown or misspelt configuration key, wrong type, dimensions 0', () => {
  it.each([
    [{ sorces: [] }, 'sorces: is not a known key; did you mean "sources"?'],
    [
      { sources: [itemsSource({ text: { colums: ['body'] } })] },
      'sources[0].text.colums: is not a known key; did you mean "columns"?',
    ],
    [
      { sources: [itemsSource({ updatedAd: 'x' })] },
      'sources[0].updatedAd: is not a known key; did you mean "updatedAt"?',
    ],
    [
      { models: { tiny: { ...tiny, dimensons: 8 } } },
      'models.tiny.dimensons: is not a known key; did you mean "dimensions"?',
    ],
    [
      { models: { tiny: { ...tiny, dimensions: 0 } } },
      'models.tiny.dimensions: expected a whole number from 1 to 16000, got 0',
    ],
    [
      { models: { tiny: { ...tiny, dimensions: '8' } } },
      'models.tiny.dimensions: expected a whole number from 1 to 16000, got "8"',
    ],
    [
      { sources: [itemsSource({ text: { columns: 'body' } })] },
      'sources[0].text.columns: expected an array of column names, got "body"',
    ],
    [
      { sources: [itemsSource({ model: 'tyni' })] },
      'sources[0].model: "tyni" is no model; did you mean "tiny"?',
    ],
    [{ sources: [] }, 'sources: expected at least one source'],
    [{ limits: { batchSize: 0 } }, 'limits.batchSize: expected a whole number from 1 to 2048, got 0'],
    [{ database: { url: 'mysql://u:hunter2@h/d' } }, 'database.url: expected a URL such as postgres://'],
  ])(
    'refuses %j with exit code 2, the path, what was expected and the nearest key',
    async (config, message) => {
      bench.configure(config);

      const result = await bench.cli('run');

      expect(result.errors).toContain(message);
      expect(result).toMatchObject({ code: 2, output: '' });
      expect(result.errors).not.toContain('hunter2');
      expect(bench.server.callCount).toBe(0);
      expect(await bench.query(`SELECT FROM pg_namespace WHERE nspname = 'freshet'`)).toEqual([]);
    },
  );

  it.each(['doctor', 'migrate', 'status', 'failures', 'retry'])('is refused by %s too', async command => {
    bench.configure({ sources: [itemsSource({ text: { colums: ['body'] } })] });

    const result = await bench.cli(command, '--json');

    expect(result.code).toBe(2);
    expect(readObject(result)).toEqual({
      error: {
        message: expect.stringContaining(
          'sources[0].text.colums: is not a known key; did you mean "columns"?',
        ),
      },
    });
  });
});
