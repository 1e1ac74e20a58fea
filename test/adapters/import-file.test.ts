import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';

const root = mkdtempSync(path.join(tmpdir(), 'freshet-import-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const adapter = path.resolve(import.meta.dirname, '../../lib/adapters/import-file.ts');

const MODULE = `import { join } from 'node:path';\nexport default { name: join('a', 'b') };\n`;
const TYPED = `import { join } from 'node:path';\nconst name: string = join('a', 'b');\nexport default { name };\n`;
const BY_PACKAGE = `import { defineConfig } from 'freshet';\nexport default defineConfig({ name: 'a/b' } as never);\n`;
const COMMON = `const { join } = require('node:path');\nmodule.exports = { name: join('a', 'b') };\n`;
const MORE_THAN_TYPES = `enum Part { A = 'a/b' }\nexport default { name: Part.A as string };\n`;
const WITHOUT_EXTENSION = `import { name } from './part';\nexport default { name };\n`;

const TEXTS = {
  ts: { TYPED, BY_PACKAGE, MORE_THAN_TYPES, WITHOUT_EXTENSION, MODULE },
  mts: { TYPED, BY_PACKAGE, MORE_THAN_TYPES, WITHOUT_EXTENSION },
  cts: { TYPED, COMMON },
  js: { MODULE, COMMON, WITHOUT_EXTENSION },
  mjs: { MODULE },
  cjs: { COMMON, MODULE },
};

const PROJECTS = {
  'a project of modules': { type: 'module' },
  'a project of CommonJS, as `npm init -y` makes it': { type: 'commonjs' },
  'a project that says nothing': {},
  'a folder that is no project': undefined,
};

/** Imports files by the real loader, which is not that of the test runner, and gives what each exported or threw. */
function importAll(files: readonly string[], flags: readonly string[] = []) {
  const script = `
    const { importFile } = await import(${JSON.stringify(adapter)});
    const results = {};
    for (const file of ${JSON.stringify(files)})
      results[file] = await importFile(file).then(
        ({ default: value }) => (value.default ?? value).name,
        error => error.name + ': ' + error.message + (error.stack ?? ''),
      );
    process.stdout.write(JSON.stringify(results));
  `;
  const words = [...flags, '--input-type=module', '--eval', script];
  const { stdout, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8', cwd: root });
  return { results: JSON.parse(stdout || '{}') as Record<string, string>, stderr };
}

function writeProject(project: object | undefined): readonly string[] {
  const folder = mkdtempSync(path.join(root, 'project-'));
  if (project !== undefined) writeFileSync(path.join(folder, 'package.json'), JSON.stringify(project));
  return Object.entries(TEXTS).flatMap(([extension, texts]) =>
    Object.entries(texts).map(([kind, text]) => {
      const file = path.join(folder, kind.toLowerCase(), `freshet.config.${extension}`);
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(path.join(path.dirname(file), 'part.ts'), `export const name: string = 'a/b';\n`);
      writeFileSync(file, text);
      return file;
    }),
  );
}

describe('a file of a project', () => {
  test.each(Object.entries(PROJECTS))('is imported from %s, without a word of Node', (_, project) => {
    const files = writeProject(project);

    const { results, stderr } = importAll(files);

    expect(results).toEqual(Object.fromEntries(files.map(file => [file, 'a/b'])));
    expect(stderr).toBe('');
  });

  test.each(Object.entries(PROJECTS))('keeps what it throws, and where, in %s', (_, project) => {
    const folder = path.dirname(path.dirname(writeProject(project)[0]!));
    const thrown = path.join(folder, 'thrown.ts');
    writeFileSync(thrown, `const x: string = '';\n\nthrow new RangeError('its own' + x);\nexport {};\n`);
    const broken = path.join(folder, 'broken.ts');
    writeFileSync(broken, `import 'node:path';\nexport default {\n  a: [ ;\n};\n`);

    const { results } = importAll([thrown, broken]);

    expect(results[thrown]).toMatch(/^RangeError: its own[\s\S]*thrown\.ts:3:/);
    expect(results[broken]).toMatch(/^(SyntaxError|ParseError): [\s\S]*broken\.ts:3/);
  });

  test('is run once where it can be loaded', () => {
    const folder = mkdtempSync(path.join(root, 'once-'));
    const file = path.join(folder, 'freshet.config.mjs');
    writeFileSync(file, `process.stderr.write('run '); throw new Error('its own');`);

    expect(importAll([file]).stderr).toBe('run ');
  });
});
