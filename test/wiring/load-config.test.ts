import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UsageError } from '../../lib/core/errors.ts';
import { loadConfig } from '../../lib/wiring/workspace.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'freshet-config-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function writeConfig(name: string, text: string): string {
  writeFileSync(join(directory, name), text);
  return name;
}

async function errorOf(name: string): Promise<UsageError> {
  const error = await loadConfig(name, directory).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UsageError);
  return error as UsageError;
}

describe('loadConfig', () => {
  it('takes the demo where the folder has no configuration', async () => {
    const loaded = await loadConfig(undefined, directory);

    expect(loaded.demo).toBe(true);
    expect(loaded.config.sources[0]?.table).toBe('public.ai_items');
  });

  it('reads a configuration', async () => {
    const name = writeConfig(
      'good.ts',
      `export default { sources: [{ name: 'a', table: 'a', text: { columns: ['t'] }, model: 'hash' }] };`,
    );

    const loaded = await loadConfig(name, directory);

    expect(loaded).toMatchObject({ file: 'good.ts', demo: false, config: { sources: [{ name: 'a' }] } });
  });

  it('names a file that does not exist and how to name another', async () => {
    const error = await errorOf('none.ts');

    expect(error.message).toBe('The configuration none.ts does not exist.');
    expect(error.remedy).toContain('--config');
  });

  it('says that the default export is missing', async () => {
    const error = await errorOf(writeConfig('named.ts', 'export const config = {};'));

    expect(error.message).toBe('named.ts has no default export.');
  });

  it('names the file whose syntax is wrong', async () => {
    const error = await errorOf(writeConfig('broken.ts', 'export default { sources: [ ;'));

    expect(error.message).toMatch(/^broken\.ts.* cannot be loaded: /);
  });

  it('puts the file before the problems of its configuration', async () => {
    const error = await errorOf(writeConfig('wrong.ts', 'export default { source: [] };'));

    expect(error.message).toContain('wrong.ts: The configuration has a problem:');
    expect(error.message).toContain('did you mean "sources"?');
  });
});
