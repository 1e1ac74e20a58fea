import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { bundleHandler } from '../../lib/constructs/bundling.ts';
import { FUNCTION_NAMES, type HandlerName } from '../../lib/constructs/function-settings.ts';
import { PACKED_COMMAND } from '../../lib/core/own-command.ts';
import { bundleProgram } from '../bundle/make-bundle.ts';

/** The handlers that the construct can deploy; `sample` is the example's alone. */
const PACKED: readonly HandlerName[] = [...FUNCTION_NAMES, 'notify'];

const root = path.resolve(import.meta.dirname, '../..');
const dist = path.join(root, 'dist');

/** Files and folders that an installed package reads by their place beside the code. */
const FILES = [
  'package.json',
  'examples/demo/ai-items.data.json',
  'examples/demo/NOTICE',
  'models',
  'assets',
];

/**
 * Makes `dist/`, which `npm pack` packs: JavaScript, declarations, the bundled command line and
 * the bundled handlers.
 * An installed package has neither sources nor esbuild, so they are bundled here.
 */
function build(): void {
  rmSync(dist, { recursive: true, force: true });
  compile();
  for (const file of FILES) cpSync(path.join(root, file), path.join(dist, file), { recursive: true });
  buildProgram();
  for (const name of PACKED) buildHandler(name);
}

function compile(): void {
  const { status, error } = spawnSync('tsc', ['-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' });
  if (error !== undefined) throw error;
  if (status !== 0) process.exit(status ?? 1);
  nameCommand();
}

/** Gives the modules of the constructs, which no bundle holds, the command's name in a package. */
function nameCommand(): void {
  const file = path.join(dist, 'lib/core/own-command.js');
  const definition = `const FRESHET_COMMAND = ${JSON.stringify(PACKED_COMMAND)};\n`;
  writeFileSync(file, definition + readFileSync(file, 'utf8'));
}

/** Bundles the command line, with an entry beside it whose name never changes, and what runs it. */
function buildProgram(): void {
  const folder = path.join(dist, 'program');
  mkdirSync(folder, { recursive: true });
  const { files } = bundleProgram(root, folder, true);
  for (const { name, contents } of files) writeFileSync(path.join(folder, name), contents);
  const program = `require('node:path').join(__dirname, ${JSON.stringify(files[0]!.name)})`;
  writeFileSync(path.join(folder, 'entry.cjs'), `require('./load-program.cjs')(${program});\n`);
  cpSync(path.join(root, 'bin/bundle/load-program.cjs'), path.join(folder, 'load-program.cjs'));
  cpSync(path.join(root, 'bin/package/entry.js'), path.join(dist, 'bin/freshet.js'));
  for (const name of ['require-node.cjs', 'compile-cache.cjs'])
    cpSync(path.join(root, 'bin', name), path.join(dist, 'bin', name));
}

function buildHandler(name: HandlerName): void {
  for (const { path: file, contents } of bundleHandler(name, true).files) {
    const target = path.join(dist, 'handlers', name, file);
    mkdirSync(path.dirname(target), { recursive: true });
    writeFileSync(target, contents);
  }
}

build();
