import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createHandler, createLambda } from '../../functions/sample/handler.ts';
import type { SampleStore } from '../../lib/ports/report-store.ts';
import { createRecordingLogger } from '../doubles/recording-logger.ts';
import { makeContext } from '../factories/lambda-event.ts';

const items = resolve(import.meta.dirname, '../../examples/demo/ai-items.data.json');
const settings = {
  stage: 'try',
  region: 'us-east-1',
  host: 'db.invalid',
  port: 5432,
  name: 'example',
  ownerSecretArn: 'arn:aws:secretsmanager:us-east-1:111122223333:secret:owner',
  pipelineSecretArn: 'arn:aws:secretsmanager:us-east-1:111122223333:secret:pipeline',
};
const config = {
  sources: [{ name: 'ai_items', table: 'public.ai_items', text: { columns: ['title'] }, model: 'hash' }],
};

function createStore(): SampleStore & { readonly loaded: number[] } {
  const loaded: number[] = [];
  return {
    loaded,
    load: async given => {
      loaded.push(given.length);
      return { rows: given.length, created: true };
    },
    insert: async () => '7',
    grow: async rows => rows,
    edit: async id => id === '7',
    readCoverage: async () => [],
  };
}

describe('the sample function', () => {
  const store = createStore();
  const invoke = (event: unknown) =>
    createHandler({
      store,
      readItems: async () => [{ title: 'a', summary: 'b', tags: [] }],
      logger: createRecordingLogger(),
    })(event, makeContext());

  test.each([undefined, null, {}, { action: 'load' }])(
    'loads at %j, as a deployment asks for it',
    async event => {
      expect(await invoke(event)).toEqual({ rows: 1, created: true });
    },
  );

  test('inserts and edits what it is told', async () => {
    expect(await invoke({ action: 'insert', title: 'a row' })).toEqual({ id: '7' });
    expect(await invoke({ action: 'edit', id: '7', title: 'a row' })).toEqual({ edited: true });
    expect(await invoke({ action: 'grow', rows: 100_000 })).toEqual({ rows: 100_000 });
    expect(await invoke({ action: 'coverage' })).toEqual({ spaces: [] });
  });

  test.each([
    { action: 'drop' },
    { action: 'load', title: 'x' },
    { action: 'insert' },
    { action: 'insert', title: '' },
    { action: 'insert', title: 'x'.repeat(201) },
    { action: 'edit', id: '1; DROP TABLE ai_items', title: 'x' },
    { action: 'edit', id: 7, title: 'x' },
    { action: 'coverage', more: true },
    { action: 'coverage', rows: 2 },
    { action: 'grow' },
    { action: 'grow', rows: 2.5 },
    { action: 'grow', rows: 1_000_001 },
  ])('refuses %j', async event => {
    await expect(invoke(event)).rejects.toMatchObject({ code: 'bad_request' });
  });
});

describe('the sample function that cannot be wired', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'freshet-sample-'));
    writeFileSync(join(directory, 'freshet.config.json'), JSON.stringify(config));
    cpSync(items, join(directory, 'ai-items.data.json'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  test.each([
    [undefined, /at FRESHET_SAMPLE/],
    [JSON.stringify({ ...settings, port: 'five' }), /at port/],
  ])('says what is wrong with its settings: %s', async (FRESHET_SAMPLE, reason) => {
    const lines: string[] = [];
    const lambda = createLambda({
      variables: { FRESHET_SAMPLE },
      directory,
      writeLine: line => void lines.push(line),
    });

    await expect(lambda({}, makeContext())).rejects.toThrow(reason);
    expect(lines.join('\n')).toContain('bad_deployment_settings');
  });
});
