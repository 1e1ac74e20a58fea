import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readObject, runCli } from '../bin/run-cli.ts';
import { complete, openPipeline, type Pipeline } from './open-pipeline.ts';

const ROWS = 300;

let pipeline: Pipeline;
let awaited: { readonly text: string; readonly found: () => void } | undefined;

beforeAll(async () => {
  pipeline = await openPipeline({
    rows: ROWS,
    hold: ({ texts }) => {
      if (awaited && texts.some(text => text.includes(awaited!.text))) awaited.found();
      return undefined;
    },
  });
});
afterAll(() => pipeline.close());

function bought(text: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  awaited = { text, found: resolve };
  return promise;
}

/** Until no row is stale: no time is guessed. */
async function untilComplete(): Promise<void> {
  for (;;) {
    const rows = await pipeline
      .query(`SELECT FROM ai_items i LEFT JOIN freshet.vectors_1 v ON v.item_id = i.id
      WHERE v.source_xid IS DISTINCT FROM i.xmin LIMIT 1`)
      .catch(() => [{}]);
    if (rows.length === 0) return;
  }
}

describe('run --watch', () => {
  it('embeds what changes while it watches, and ends with its totals when interrupted', async () => {
    const { child, ended } = pipeline.start('run', '--watch', '--watch-interval', '250ms', '--json');
    await untilComplete();
    for (const mark of ['first edit', 'second edit']) {
      const seen = bought(mark);
      await pipeline.query('UPDATE ai_items SET title = $1, updated_at = now() WHERE id = 7', [mark]);
      await seen;
      await untilComplete();
    }
    expect(child.exitCode).toBeNull();

    child.kill('SIGINT');
    const result = await ended;

    expect(result.code, result.errors).toBe(130);
    expect(readObject(result)).toMatchObject({
      spaces: [complete(ROWS)],
      embedded: ROWS + 2,
    });
    expect(pipeline.purchases).toHaveLength(ROWS + 2);
    expect(result.errors).toContain('items');
    expect(await pipeline.findWrongVectors()).toEqual([]);
    expect(await pipeline.countLeases()).toBe(0);
  });

  it('ends at once when the provider refuses the key while it watches', async () => {
    const { ended } = pipeline.start('run', '--watch', '--watch-interval', '250ms', '--json');
    const body = { error: { code: 'invalid_api_key' } };
    pipeline.behaveAs(() => ({ kind: 'status', status: 401, body }));
    await pipeline.query(`UPDATE ai_items SET title = 'third edit', updated_at = now() WHERE id = 7`);

    const result = await ended;

    expect(result.code, result.errors).toBe(1);
    expect(readObject(result)).toMatchObject({ failed: 0, error: { code: 'unauthorized' } });
  });

  it.each([
    [['run', '--watch', '--max-items', '5'], '--max-items'],
    [['run', '--watch-interval', '5s'], '--watch'],
    [['start', '--watch'], '--watch'],
  ])('is refused where it makes no sense: %j', async (words, named) => {
    const result = await runCli(process.cwd(), words);

    expect(result.code).toBe(2);
    expect(result.errors).toContain(named);
  });
});
