import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';

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
    'functions',
    'node:',
  ],
  'lib/constructs': [
    'lib/core',
    'lib/core/config',
    'lib/constructs',
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
const IMPORT =
  /^\s*(?:import|export)\b[^;'"]*?\bfrom\s*['"]([^'"]+)['"]|^\s*import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm;
const FORBIDDEN_WORD = /(^|[-/])(utils?|helpers?|common|managers?|misc|handle|support)(-|\.|\/|$)/;

const root = path.resolve(import.meta.dirname, '..');

function sourceFilesOf(folder: string): string[] {
  return readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter(file => file.endsWith('.ts'))
    .map(file => path.posix.join(folder, file.split(path.sep).join('/')))
    .sort();
}

function roomOf(file: string): string {
  if (file.startsWith('lib/core/config/')) return 'lib/core/config';
  return file.startsWith('lib/') ? file.split('/').slice(0, 2).join('/') : (file.split('/')[0] ?? '');
}

function importsOf(file: string): string[] {
  const text = readFileSync(path.join(root, file), 'utf8');
  return [...text.matchAll(IMPORT)].map(match => match[1] ?? match[2] ?? match[3] ?? '');
}

const resolve = (file: string, specifier: string) =>
  specifier.startsWith('.')
    ? path.posix.normalize(path.posix.join(path.posix.dirname(file), specifier))
    : specifier;

function isAllowed(file: string, specifier: string): boolean {
  const allowed = MAY_IMPORT[roomOf(file)] ?? [];
  if (specifier.startsWith('.')) return allowed.includes(roomOf(resolve(file, specifier)));
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
    for (const specifier of importsOf(file)) {
      if (CDK.test(specifier)) return [...trail, specifier];
      if (specifier.startsWith('.')) waiting.push([...trail, resolve(file, specifier)]);
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
        .filter(specifier => !isAllowed(file, specifier))
        .map(specifier => `${file} must not import ${specifier}`),
    );

    expect(strays).toEqual([]);
  });

  test('keep the ports free of code', () => {
    const withCode = sourceFilesOf('lib/ports').filter(file =>
      /^export (?!interface|type\b)|^import (?!type\b)/m.test(readFileSync(path.join(root, file), 'utf8')),
    );

    expect(withCode).toEqual([]);
  });

  test('keep clocks, chance and the environment out of core, pipeline and handlers', () => {
    const impure = rooms.filter(
      file =>
        /^(lib\/core|lib\/pipeline|functions)\//.test(file) &&
        /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bprocess\.env\b|\bsetTimeout\(|\bperformance\.now\(/.test(
          readFileSync(path.join(root, file), 'utf8'),
        ),
    );

    expect(impure).toEqual([]);
  });
});

describe('the files', () => {
  const all = [...rooms, ...sourceFilesOf('bin'), ...sourceFilesOf('bench')];
  const linesOf = (file: string) => readFileSync(path.join(root, file), 'utf8').split('\n').length;

  test('stay under 300 lines in nine of ten cases', () => {
    const long = all.filter(file => linesOf(file) > 300);

    expect(long.length, `over 300 lines: ${long.join(', ')}`).toBeLessThanOrEqual(all.length / 10);
  });

  test('have names in the words of the design', () => {
    // The service is called so by those who made it.
    const named = [...all, ...sourceFilesOf('test')].filter(file =>
      FORBIDDEN_WORD.test(file.replaceAll('secrets-manager', 'secrets')),
    );

    expect(named).toEqual([]);
  });

  test('leave nothing for later in the text', () => {
    const marks = new RegExp(['TO', 'DO|FIX', 'ME|X', 'XX'].join(''));

    expect(all.filter(file => marks.test(readFileSync(path.join(root, file), 'utf8')))).toEqual([]);
  });

  test('have no default exports outside configuration files', () => {
    expect(
      all.filter(
        file =>
          !file.endsWith('.config.ts') &&
          /^export default\b/m.test(readFileSync(path.join(root, file), 'utf8')),
      ),
    ).toEqual([]);
  });
});

describe('the handlers', () => {
  const handlers = sourceFilesOf('functions').filter(file => file.endsWith('/handler.ts'));

  test('are at most 40 lines', () => {
    const lengths = handlers.map(
      file => [file, readFileSync(path.join(root, file), 'utf8').trimEnd().split('\n').length] as const,
    );

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
