import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { bundleHandler } from '../../lib/constructs/bundling.ts';
import { FUNCTION_NAMES, type HandlerName } from '../../lib/constructs/function-settings.ts';

/** The handlers that the construct can deploy; `sample` is the example's alone. */
const PACKED: readonly HandlerName[] = [...FUNCTION_NAMES, 'notify'];

const root = path.resolve(import.meta.dirname, '../..');
const dist = path.join(root, 'dist');

/** Files that an installed package reads by their place beside the code. */
const FILES = ['package.json', 'examples/demo/ai-items.data.json', 'examples/demo/NOTICE'];

/**
 * Makes `dist/`, which `npm pack` packs: JavaScript, declarations and bundled handlers.
 * An installed package has neither sources nor esbuild, so every handler is bundled here.
 */
function build(): void {
  rmSync(dist, { recursive: true, force: true });
  compile();
  for (const file of FILES) cpSync(path.join(root, file), path.join(dist, file));
  for (const name of PACKED) buildHandler(name);
}

function compile(): void {
  const { status, error } = spawnSync('tsc', ['-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' });
  if (error !== undefined) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

function buildHandler(name: HandlerName): void {
  for (const { path: file, contents } of bundleHandler(name).files) {
    const target = path.join(dist, 'handlers', name, file);
    mkdirSync(path.dirname(target), { recursive: true });
    writeFileSync(target, contents);
  }
}

build();
