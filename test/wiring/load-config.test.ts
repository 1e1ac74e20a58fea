import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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

  it('fills what it leaves out from variables that it is given, and a synthesis gives none', async () => {
    const name = writeConfig(
      'open.ts',
      `export default { sources: [{ name: 'a', table: 'a', text: { columns: ['t'] } }] };`,
    );

    const loaded = await loadConfig(name, directory, { EMBED_MODEL: 'hash' });

    expect(loaded.config.sources[0]?.models).toEqual(['hash']);
    await expect(loadConfig(name, directory)).rejects.toThrow(/sources\[0\]\.model/);
    const demo = await loadConfig(undefined, directory, { EMBED_MODEL: 'hash' });
    expect(demo.config).toEqual((await loadConfig(undefined, directory)).config);
    const app = readFileSync(join(import.meta.dirname, '../../bin/app.ts'), 'utf8');
    expect(app).toMatch(/loadConfig\(context\('config'\), process\.cwd\(\)\)/);
  });

  it.each(['openai', 'wiki'])('reads examples/%s copied to a folder of its own', async example => {
    const original = join(import.meta.dirname, `../../examples/${example}/freshet.config.ts`);
    const folder = mkdtempSync(join(directory, 'copied-'));
    copyFileSync(original, join(folder, 'freshet.config.ts'));

    const { config, demo } = await loadConfig(undefined, folder);

    expect(demo).toBe(false);
    expect(config.sources.map(({ name }) => name)).toContain('ai_items');
  });

  it.each(['mts', 'cts', 'mjs', 'cjs', 'js', 'ts'])(
    'finds freshet.config.%s in the folder',
    async extension => {
      const folder = mkdtempSync(join(directory, 'own-'));
      const config = `{ sources: [{ name: 'own', table: 'a', text: { columns: ['t'] }, model: 'hash' }] }`;
      const isCommon = /^c/.test(extension);
      const text = isCommon
        ? `Object.defineProperty(exports, '__esModule', { value: true }); exports.default = ${config};`
        : `export default ${config};`;
      writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
      writeFileSync(join(folder, `freshet.config.${extension}`), text);
      if (isCommon) writeFileSync(join(folder, 'plain.cjs'), `module.exports = ${config};`);

      const own = await loadConfig(undefined, folder);

      expect(own).toMatchObject({ demo: false, file: `freshet.config.${extension}` });
      expect(own.config.sources[0]?.name).toBe('own');
      if (isCommon) expect((await loadConfig('plain.cjs', folder)).config.sources[0]?.name).toBe('own');
    },
  );

  it.each([
    ...['freshet.config.json', 'freshet.config.yaml', 'freshet.config.tsx', 'freshet.config', '.freshetrc'],
    ...['freshet-config.ts', 'freshet.conf.ts'],
  ])('refuses %s by its name in place of taking the demo', async name => {
    const folder = mkdtempSync(join(directory, 'meant-'));
    writeFileSync(join(folder, name), '{}');

    await expect(loadConfig(undefined, folder)).rejects.toMatchObject({
      name: 'UsageError',
      message: expect.stringContaining(`${name} is not read: a configuration is one of freshet.config.ts`),
      remedy: expect.stringContaining('--config'),
    });
  });

  it('does not take the demo in a folder of a project that has a configuration', async () => {
    const folder = mkdtempSync(join(directory, 'above-'));
    writeFileSync(join(folder, 'freshet.config.mjs'), 'export default {};');
    mkdirSync(join(folder, 'src', 'deep'), { recursive: true });

    await expect(loadConfig(undefined, join(folder, 'src', 'deep'))).rejects.toMatchObject({
      message: expect.stringContaining(join(folder, 'freshet.config.mjs')),
      remedy: `Go to ${folder}, or name the file: --config ../../freshet.config.mjs`,
    });
  });

  it('takes the demo beside files that are no configuration', async () => {
    const folder = mkdtempSync(join(directory, 'beside-'));
    for (const name of ['freshet.config.ts.bak', 'freshet.configuration.md', 'freshet.sql'])
      writeFileSync(join(folder, name), '');

    expect((await loadConfig(undefined, folder)).demo).toBe(true);
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
