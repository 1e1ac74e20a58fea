import { describe, expect, test } from 'vitest';
import {
  findCircles,
  findLazilyLoaded,
  findMutualRooms,
  findNamesTwice,
  findUnusedExports,
  findWideLines,
  measureSizes,
} from './find-faults.ts';
import { readModule } from './read-modules.ts';

const modulesOf = (files: Record<string, string>) =>
  Object.entries(files).map(([path, text]) => readModule({ path, text }));

const linesOf = (count: number) => 'line\n'.repeat(count);

describe('a module', () => {
  test('has its imports and exports read, over several lines, with aliases and types', () => {
    const [module] = modulesOf({
      'lib/a/one.ts': `import { readFile } from 'node:fs';
import type { B } from '../b/two.ts';
import three, { type C, d as e } from './three.ts';
import {
  type F,
  type G,
} from './four.ts';
import * as five from './five.ts';
import './six.ts';

export const first = 1;
export async function second() {
  const { h } = await import('./seven.ts');
}
export interface Third {}
export type Fourth = B;
export abstract class Fifth {}
const sixth = 6;
export { sixth as seventh, e as handed };
export type { I } from './eight.ts';
`,
    });

    expect(module?.exports).toEqual(['first', 'second', 'Third', 'Fourth', 'Fifth', 'seventh']);
    expect(module?.imports.map(({ path, kind, names }) => [path, kind, ...names])).toEqual([
      [undefined, 'value', 'readFile'],
      ['lib/b/two.ts', 'type', 'B'],
      ['lib/a/three.ts', 'value', 'default', 'C', 'd'],
      ['lib/a/four.ts', 'type', 'F', 'G'],
      ['lib/a/five.ts', 'value', '*'],
      ['lib/a/six.ts', 'value'],
      ['lib/a/seven.ts', 'lazy', '*'],
      ['lib/a/eight.ts', 'type', 'I'],
    ]);
    expect([...(module?.handedOn ?? [])]).toEqual([
      ['handed', { path: 'lib/a/three.ts', name: 'd' }],
      ['I', { path: 'lib/a/eight.ts', name: 'I' }],
    ]);
  });

  test('is not read from its comments', () => {
    const [module] = modulesOf({
      'a.ts': `/**
 * Before:
export const old = 1;
 */
// import('./lazy.ts')
export const now = 1;
`,
    });

    expect(module).toMatchObject({ exports: ['now'], imports: [] });
  });
});

describe('the sizes of files', () => {
  test('are counted in lines, without the end of the last one', () => {
    const files = [10, 20, 30, 40, 400].map(count => ({ path: `${count}.ts`, text: linesOf(count) }));

    expect(measureSizes(files)).toEqual({
      ...{ files: 5, lines: 500, filesPerThousandLines: 10, median: 30, p90: 400, longest: 400 },
    });
  });
});

describe('an export', () => {
  test('without a user outside its file is found', () => {
    const modules = modulesOf({
      'a.ts': 'export const used = 1;\nexport const unused = used;\nexport type Unused = 1;\n',
      'b.ts': "import { used } from './a.ts';\n",
    });

    expect(findUnusedExports(modules, modules)).toEqual(['a.ts: unused', 'a.ts: Unused']);
  });

  test('is used through a file that hands it on, not by that file alone', () => {
    const modules = modulesOf({
      'a.ts': 'export const one = 1;\n',
      'b.ts': "export { one as two } from './a.ts';\n",
      'c.ts': "import { two } from './b.ts';\n",
      'd.ts': 'export const three = 3;\n',
      'e.ts': "import { three } from './d.ts';\nexport { three };\n",
    });

    expect(findUnusedExports(modules, modules)).toEqual([]);
  });

  test('of a lazily loaded file is used where whoever loads it mentions it', () => {
    const modules = modulesOf({
      'a.ts': 'export const command = 1;\nexport const other = 1;\n',
      'b.ts': "export const load: () => Promise<{ command: 1 }> = () => import('./a.ts');\n",
      'c.ts': "import { load } from './b.ts';\n",
    });

    expect(findUnusedExports(modules, modules)).toEqual(['a.ts: other']);
    expect([...findLazilyLoaded(modules)]).toEqual(['a.ts']);
  });

  test('has a user in a test or a benchmark as well', () => {
    const modules = modulesOf({ 'lib/a.ts': 'export const one = 1;\n' });
    const tests = modulesOf({ 'test/a.test.ts': "import { one } from '../lib/a.ts';\n" });

    expect(findUnusedExports(modules, modules)).toEqual(['lib/a.ts: one']);
    expect(findUnusedExports(modules, [...modules, ...tests])).toEqual([]);
  });

  test('whose name another file exports too is found, one that is handed on is not', () => {
    const modules = modulesOf({
      'a.ts': 'export const read = 1;\n',
      'b.ts': 'export function read() {}\n',
      'c.ts': "export { write } from './d.ts';\n",
      'd.ts': 'export const write = 1;\n',
    });

    expect([...findNamesTwice(modules)]).toEqual([['read', ['a.ts', 'b.ts']]]);
  });
});

describe('imports', () => {
  test('that lead in a circle are found, those of types too', () => {
    const modules = modulesOf({
      'a.ts': "import { b } from './b.ts';\n",
      'b.ts': "import { c } from './c.ts';\n",
      'c.ts': "import type { B } from './b.ts';\n",
      'd.ts': "import { a } from './a.ts';\n",
    });

    expect(findCircles(modules)).toEqual(['b.ts -> c.ts -> b.ts']);
  });

  test('that lead back to a file that loads lazily are no circle', () => {
    const modules = modulesOf({
      'a.ts': "export const load = () => import('./b.ts');\n",
      'b.ts': "import { load } from './a.ts';\n",
    });

    expect(findCircles(modules)).toEqual([]);
  });

  test('of two rooms from each other are found, lazy ones too', () => {
    const modules = modulesOf({
      'lib/a.ts': "import type { B } from '../bin/b.ts';\nimport { c } from '../test/c.ts';\n",
      'bin/b.ts': "export const load = () => import('../lib/a.ts');\n",
      'test/c.ts': "import { d } from './d.ts';\n",
      'test/d.ts': '',
    });

    expect(findMutualRooms(modules, path => path.split('/')[0] ?? '')).toEqual([
      'bin and lib: bin/b.ts -> lib/a.ts, lib/a.ts -> bin/b.ts',
    ]);
  });
});

describe('a line', () => {
  test('is too wide sooner in a comment than in code', () => {
    const text = [
      `const a = '${'x'.repeat(20)}';`,
      '/**',
      ` * ${'x'.repeat(18)}`,
      ' */',
      `// ${'x'.repeat(18)}`,
      `const b = '${'x'.repeat(8)}';`,
    ].join('\n');

    expect(findWideLines([{ path: 'a.ts', text }], { line: 30, comment: 20 })).toEqual([
      'a.ts:1 (33)',
      'a.ts:3 (21)',
      'a.ts:5 (21)',
    ]);
  });
});
