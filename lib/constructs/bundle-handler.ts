import { createRequire } from 'node:module';
import path from 'node:path';
import type { BuildOptions, Metafile } from 'esbuild';
import type { HandlerName } from './function-settings.ts';

export interface HandlerBundle {
  /** Paths inside the folder, with `/`, and contents. `index.mjs` is the entry. */
  readonly files: readonly { readonly path: string; readonly contents: Uint8Array }[];
  /** What esbuild says of the bundle. Paths in it are relative to the repository. */
  readonly metafile: Metafile;
}

const root = path.resolve(import.meta.dirname, '../..');

/**
 * The folder that esbuild believes to write to.
 * The folder decides the paths inside source maps, which must not depend on where an app puts its
 * assembly.
 */
const OUTPUT = 'cdk.out/handlers';

/** Gives libraries in CommonJS the `require` that a module does not have. */
const BANNER =
  "import { createRequire as createRequireOf } from 'node:module'; const require = createRequireOf(import.meta.url);";

/**
 * Bundles a handler with everything that it reaches, as ES modules.
 * What the sources import lazily, such as a provider's client or the tokenizer, becomes files of
 * its own that are loaded when first needed. The AWS SDK is inside the bundle, because the
 * runtime's own SDK has no fixed version. The same sources give the same bytes, wherever they lie.
 */
export function bundleHandler(name: HandlerName): HandlerBundle {
  const { buildSync } = createRequire(import.meta.url)('esbuild') as typeof import('esbuild');
  const built = buildSync(optionsFor(name));
  const outputFolder = path.join(root, OUTPUT, name);
  return {
    files: built
      .outputFiles!.map(file => ({
        path: path.relative(outputFolder, file.path).split(path.sep).join('/'),
        contents: file.contents,
      }))
      .sort((left, right) => (left.path < right.path ? -1 : 1)),
    metafile: built.metafile!,
  };
}

function optionsFor(name: HandlerName): BuildOptions {
  return {
    absWorkingDir: root,
    entryPoints: [{ in: `functions/${name}/handler.ts`, out: 'index' }],
    outdir: `${OUTPUT}/${name}`,
    write: false,
    metafile: true,
    bundle: true,
    splitting: true,
    format: 'esm',
    outExtension: { '.js': '.mjs' },
    chunkNames: 'chunks/[name]-[hash]',
    platform: 'node',
    target: 'node24',
    mainFields: ['module', 'main'],
    minify: true,
    keepNames: true,
    legalComments: 'none',
    sourcemap: true,
    sourcesContent: false,
    banner: { js: BANNER },
    external: ['@electric-sql/*', 'pg-native', 'cloudflare:sockets'],
    logLevel: 'error',
  };
}
