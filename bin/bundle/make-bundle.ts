import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type BuildOptions, buildSync, type Metafile } from 'esbuild';
import { PACKED_COMMAND } from '../../lib/core/own-command.ts';
import type { BundlePlace, BundleRecord } from './find-bundle.ts';

/** Files beside those of the program that decide what the bundle is; some can be missing. */
const FURTHER_INPUTS = [
  'package.json',
  'tsconfig.json',
  'node_modules/.package-lock.json',
  'bin/bundle/find-bundle.ts',
  'bin/bundle/make-bundle.ts',
  'bin/bundle/load-program.cjs',
];

/** The clock of file systems goes in steps, of 4 ms and less. */
const CLOCK_STEP_MS = 10;

/** Files of earlier bundles stay so long, for a process that has not loaded all of its own. */
const KEPT_MS = 7 * 24 * 60 * 60_000;

/** The bundle of the command line: the program, then its source map, and the sources. */
interface ProgramBundle {
  readonly files: readonly { readonly name: string; readonly contents: Uint8Array }[];
  readonly metafile: Metafile;
}

/**
 * Bundles the command line with its libraries into one function, with its source map.
 * `load-program.cjs` runs it. What the sources import lazily is in it too, and runs when it is
 * asked for. The SDK of AWS stays packages: it would double the time that this takes. PGlite reads
 * files beside its own.
 * @param folder where the files will lie, which source maps tell the way to the sources from
 * @param packed for an installed package, whose command has another name
 * @throws where the sources do not compile
 */
export function bundleProgram(root: string, folder: string, packed = false): ProgramBundle {
  const { outputFiles = [], metafile } = buildSync({
    ...OPTIONS,
    define: {
      ...OPTIONS.define,
      ...(packed && { FRESHET_COMMAND: JSON.stringify(PACKED_COMMAND) }),
    },
    absWorkingDir: root,
    outdir: folder,
  });
  const files = outputFiles
    .map(file => ({ name: path.relative(folder, file.path), contents: file.contents }))
    .sort((left, right) => left.name.length - right.name.length);
  return { files, metafile: metafile! };
}

const OPTIONS = {
  entryPoints: { program: 'bin/bundle/entry.ts' },
  write: false,
  metafile: true,
  bundle: true,
  format: 'cjs',
  outExtension: { '.js': '.cjs' },
  // A name tells the contents: bundles share what is equal in them, and none overwrites another.
  entryNames: '[name]-[hash]',
  platform: 'node',
  target: 'node22',
  mainFields: ['module', 'main'],
  legalComments: 'none',
  // Half of the bytes, which are in memory while the program runs.
  minifyWhitespace: true,
  minifySyntax: true,
  // Every byte is one character, which V8 keeps in half the memory. Regular expressions and
  // templates with a tag stay as they are written, so that the sources escape in them.
  charset: 'ascii',
  sourcemap: true,
  sourcesContent: false,
  define: { 'import.meta.dirname': '__dirname', 'import.meta.url': 'moduleUrl' },
  // The whole file is one expression, the function of a module.
  banner: {
    js:
      '(function (exports, require, module, __filename, __dirname) { const moduleUrl = ' +
      "require('node:url').pathToFileURL(__filename).href;",
  },
  footer: { js: '})' },
  external: ['@aws-sdk/*', '@smithy/*', '@electric-sql/*', 'jiti', 'pg-native', 'cloudflare:sockets'],
  logLevel: 'silent',
} as const satisfies BuildOptions;

/**
 * Makes the bundle of a checkout and its record.
 * Each file is written under another name and renamed, the record last: a process that is killed
 * meanwhile, or does the same, leaves no half of anything.
 * @returns undefined where a source changed meanwhile: nobody knows which state was read
 */
export function makeBundle(place: BundlePlace): BundleRecord | undefined {
  const startedMs = Date.now();
  const { files, metafile } = bundleProgram(place.root, place.programs);
  const inputs: Record<string, [number, number]> = {};
  for (const file of [...Object.keys(metafile.inputs), ...FURTHER_INPUTS]) {
    const found = statSync(path.join(place.root, file), { throwIfNoEntry: false });
    if (found === undefined && FURTHER_INPUTS.includes(file)) continue;
    // The time of the last change of the entry cannot be set back, as that of the contents can.
    if (found === undefined || found.ctimeMs > startedMs - CLOCK_STEP_MS) return undefined;
    inputs[file] = [found.size, found.mtimeMs];
  }
  mkdirSync(place.programs, { recursive: true });
  for (const { name, contents } of files) writeOnce(path.join(place.programs, name), contents);
  const outputs = Object.fromEntries(files.map(({ name, contents }) => [name, contents.byteLength]));
  writeWhole(place.record, JSON.stringify({ inputs, outputs } satisfies BundleRecord));
  removeOld(place.programs, outputs, startedMs);
  return { inputs, outputs };
}

/** Writes a file that is named by its contents, unless it is there. */
function writeOnce(file: string, contents: Uint8Array): void {
  if (statSync(file, { throwIfNoEntry: false })?.size !== contents.byteLength) writeWhole(file, contents);
}

function writeWhole(file: string, contents: Uint8Array | string): void {
  const unfinished = `${file}.${randomUUID()}`;
  writeFileSync(unfinished, contents);
  renameSync(unfinished, file);
}

/** Removes what no bundle of the last days has, and what killed processes left unfinished. */
function removeOld(folder: string, outputs: Readonly<Record<string, number>>, nowMs: number): void {
  for (const name of readdirSync(folder)) {
    const file = path.join(folder, name);
    const changedMs = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? nowMs;
    if (!(name in outputs) && changedMs < nowMs - KEPT_MS) rmSync(file, { force: true });
  }
}
