import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { AssetHashType, DockerImage } from 'aws-cdk-lib';
import { Code } from 'aws-cdk-lib/aws-lambda';
import type { BuildOptions, Metafile } from 'esbuild';
import type { FreshetConfig } from '../core/config/config-schema.ts';
import { CONFIG_FILE, SAMPLE_ITEMS_FILE } from '../core/config/deployment-settings.ts';
import type { FunctionAssets, HandlerName } from './function-settings.ts';

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

/**
 * Finds the folder of a handler that was built before.
 * An installed package has one folder per function and no sources. Undefined in a checkout, where
 * the sources are bundled.
 */
export function findHandlerFolder(name: HandlerName): string | undefined {
  const folder = path.join(import.meta.dirname, '../../handlers', name);
  return existsSync(path.join(folder, 'index.mjs')) ? folder : undefined;
}

const rootOfBundleFunctions = path.resolve(import.meta.dirname, '../..');

/** The rows that `sample` loads. */
const SAMPLE = path.join(rootOfBundleFunctions, 'examples/demo', SAMPLE_ITEMS_FILE);

/**
 * Bundles the handlers with their libraries and with the configuration.
 * The configuration lies beside each handler as `freshet.config.json`. The hash of an asset is the
 * hash of its contents.
 */
export function bundleFunctions(config: FreshetConfig): FunctionAssets {
  const json = `${JSON.stringify(withoutPlaces(config))}\n`;
  return {
    codeOf: name =>
      Code.fromAsset(findHandlerFolder(name) ?? path.join(rootOfBundleFunctions, 'functions', name), {
        assetHashType: AssetHashType.OUTPUT,
        bundling: {
          // The image is never pulled: the local bundling below does not decline.
          image: DockerImage.fromRegistry('none'),
          local: {
            tryBundle: folder => {
              fillFolder(name, folder);
              writeFileSync(path.join(folder, CONFIG_FILE), json);
              if (name === 'sample') cpSync(SAMPLE, path.join(folder, SAMPLE_ITEMS_FILE));
              return true;
            },
          },
        },
      }),
  };
}

function fillFolder(name: HandlerName, folder: string): void {
  const built = findHandlerFolder(name);
  if (built !== undefined) {
    cpSync(built, folder, { recursive: true });
    return;
  }
  for (const file of bundleHandler(name).files) {
    const target = path.join(folder, file.path);
    mkdirSync(path.dirname(target), { recursive: true });
    writeFileSync(target, file.contents);
  }
}

/**
 * The configuration without the places that only the stack knows.
 * The stack says where the database is; a URL could hold a password. A function learns its own
 * stage from the stack.
 */
function withoutPlaces({ aws: _, database, ...config }: FreshetConfig): FreshetConfig {
  const { url: __, ...rest } = database ?? {};
  return { ...config, database: rest };
}

export interface BundleMeasures {
  /** Bytes that Lambda loads before it calls the handler. */
  readonly entryBytes: number;
  /** Bytes with what the first event loads besides: the wiring, the database, the queues. */
  readonly firstEventBytes: number;
  /** Files that the first event needs. Node finds, opens and links each of them. */
  readonly firstEventFiles: number;
  /**
   * Parts that are loaded only where a configuration needs them, the largest first.
   * `bytes` is what a part adds to the bytes of the first event.
   */
  readonly lazyParts: readonly { readonly name: string; readonly bytes: number }[];
  /** Path inside the folder of the module that the first event loads. */
  readonly wiring: string;
}

/** Bytes below which a part is not named. */
const WORTH_NAMING_BYTES = 20_000;

/**
 * Measures the minified code of a bundle, in bytes.
 * Source maps are in the folder too, but are read only to print a stack.
 */
export function measureBundle(name: HandlerName, { metafile }: HandlerBundle): BundleMeasures {
  const outputs = metafile.outputs;
  const files = Object.keys(outputs).filter(file => file.endsWith('.mjs'));
  const entry = files.find(file => file.endsWith('/index.mjs'))!;
  const wiring = files.find(file => outputs[file]!.entryPoint === `lib/wiring/lambda-${name}.ts`)!;
  const loaded = reach(outputs, [entry, wiring]);
  const lazyParts = files
    .filter(file => outputs[file]!.entryPoint !== undefined && !loaded.has(file))
    .map(file => ({
      name: partName(outputs[file]!.entryPoint!),
      bytes: sum(
        outputs,
        [...reach(outputs, [file])].filter(part => !loaded.has(part)),
      ),
    }))
    .filter(({ bytes }) => bytes >= WORTH_NAMING_BYTES)
    .sort((left, right) => right.bytes - left.bytes);
  return {
    entryBytes: sum(outputs, reach(outputs, [entry])),
    firstEventBytes: sum(outputs, loaded),
    firstEventFiles: loaded.size,
    lazyParts,
    wiring: wiring.slice(entry.length - 'index.mjs'.length),
  };
}

/** The files and all files that they import when they are loaded. */
function reach(outputs: Metafile['outputs'], from: readonly string[]): Set<string> {
  const reached = new Set<string>();
  const waiting = [...from];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (reached.has(file)) continue;
    reached.add(file);
    for (const imported of outputs[file]!.imports)
      if (imported.kind === 'import-statement' && imported.external !== true) waiting.push(imported.path);
  }
  return reached;
}

function sum(outputs: Metafile['outputs'], files: Iterable<string>): number {
  return [...files].reduce((bytes, file) => bytes + outputs[file]!.bytes, 0);
}

/** The name of a package, or the path of a file of ours. */
function partName(entryPoint: string): string {
  return /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(entryPoint)?.[1] ?? entryPoint;
}
