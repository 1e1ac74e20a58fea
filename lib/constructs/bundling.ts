import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { AssetHashType, DockerImage } from 'aws-cdk-lib';
import { Code } from 'aws-cdk-lib/aws-lambda';
import type { BuildOptions, Metafile } from 'esbuild';
import type { FreshetConfig } from '../core/config/config-schema.ts';
import { AUTHORITY_FILE, CONFIG_FILE, SAMPLE_ITEMS_FILE } from '../core/config/deployment-settings.ts';
import { parseConfig } from '../core/config/parse-config.ts';
import { usedAliases } from '../core/config/pipeline-config.ts';
import { PACKED_COMMAND } from '../core/own-command.ts';
import { PROVIDERS } from '../core/providers.ts';
import type { FunctionAssets, HandlerName } from './function-settings.ts';

/** The checkout, or the folder of an installed package. */
const ROOT = path.resolve(import.meta.dirname, '../..');

/** The rows that `sample` loads. */
const SAMPLE = path.join(ROOT, 'examples/demo', SAMPLE_ITEMS_FILE);

/**
 * Bundles the handlers with their libraries and with the configuration.
 * The configuration lies beside each handler as `freshet.config.json`. The hash of an asset is the
 * hash of its contents.
 * @param authorityPem the authority of the database, where it lies beside each handler
 */
export function bundleFunctions(config: FreshetConfig, authorityPem?: string): FunctionAssets {
  const json = `${JSON.stringify(withoutPlaces(config))}\n`;
  const modelFolders = findModelFolders(config);
  return {
    codeOf: name =>
      Code.fromAsset(findHandlerFolder(name) ?? path.join(ROOT, 'functions', name), {
        assetHashType: AssetHashType.OUTPUT,
        bundling: {
          // The image is never pulled: the local bundling below does not decline.
          image: DockerImage.fromRegistry('none'),
          local: {
            tryBundle: folder => {
              fillFolder(name, folder);
              writeFileSync(path.join(folder, CONFIG_FILE), json);
              if (CALLERS.includes(name)) for (const model of modelFolders) copyModel(model, folder);
              if (authorityPem !== undefined) writeFileSync(path.join(folder, AUTHORITY_FILE), authorityPem);
              if (name === 'sample') cpSync(SAMPLE, path.join(folder, path.basename(SAMPLE)));
              return true;
            },
          },
        },
      }),
  };
}

/** The functions that call providers in the process; `migrate` tries only the others. */
const CALLERS: readonly HandlerName[] = ['embed', 'guard', 'api'];

/** The folders below `models/` whose files the providers of the sources read. */
function findModelFolders(config: FreshetConfig): ReadonlySet<string> {
  const parsed = parseConfig(config);
  const providers = usedAliases(parsed).map(alias => PROVIDERS[parsed.models[alias]!.provider]);
  return new Set(providers.flatMap(({ onlyModel }) => onlyModel?.folder ?? []));
}

/** Copies what the provider reads, with the licence that goes with it. */
function copyModel(model: string, folder: string): void {
  const place = path.join('models', model);
  for (const file of ['vocab.txt', 'weights.bin', 'LICENSE', 'README.md'])
    cpSync(path.join(ROOT, place, file), path.join(folder, place, file));
}

function fillFolder(name: HandlerName, folder: string): void {
  const built = findHandlerFolder(name);
  if (built === undefined) writeBundle(bundleHandler(name), folder);
  else cpSync(built, folder, { recursive: true });
}

/**
 * Finds the folder of a handler that was built before.
 * An installed package has one folder per function and no sources. Undefined in a checkout, where
 * the sources are bundled.
 */
function findHandlerFolder(name: HandlerName): string | undefined {
  const folder = path.join(import.meta.dirname, '../../handlers', name);
  return existsSync(path.join(folder, 'index.mjs')) ? folder : undefined;
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

interface BundledFile {
  readonly path: string;
  readonly contents: Uint8Array;
}

export interface HandlerBundle {
  /** Paths inside the folder, with `/`, and contents. `index.mjs` is the entry. */
  readonly files: readonly BundledFile[];
  /**
   * The source maps, each by the path of its file with `.map` behind it.
   * They are as large as the code, and Node would read them at each cold start, so they are not
   * deployed: `npm run map-stack` makes them again where a stack is to be read.
   */
  readonly maps: readonly BundledFile[];
  /** What esbuild says of the bundle. Paths in it are relative to the repository. */
  readonly metafile: Metafile;
}

/**
 * The folder that esbuild believes to write to.
 * The folder decides the paths inside source maps, which must not depend on where an app puts its
 * assembly.
 */
export const OUTPUT = 'cdk.out/handlers';

/** Gives libraries in CommonJS the `require` that a module does not have. */
const BANNER =
  "import { createRequire as createRequireOf } from 'node:module'; const require = " +
  'createRequireOf(import.meta.url);';

/** The source that reads files of a package where they lie, and these files. */
const DATA_READER = 'lib/adapters/byte-pairs.ts';
const DATA_FILES = ['package.json', 'LICENSE', 'data/cl100k_base.tiktoken'].map(
  file => `node_modules/gpt-tokenizer/${file}`,
);

/**
 * Bundles a handler with everything that it reaches, as ES modules.
 * What the sources import lazily, such as a provider's client or the tokenizer, becomes files of
 * its own that are loaded when first needed. The AWS SDK is inside the bundle, because the
 * runtime's own SDK has no fixed version. What the tokenizer reads of its package lies in a folder
 * of packages beside the entry. The same sources give the same bytes, wherever they lie.
 * @param packed for an installed package, whose command has another name
 */
export function bundleHandler(name: HandlerName, packed = false): HandlerBundle {
  const { buildSync } = createRequire(import.meta.url)('esbuild') as typeof import('esbuild');
  const built = buildSync({
    ...optionsFor(name),
    ...(packed && { define: { FRESHET_COMMAND: JSON.stringify(PACKED_COMMAND) } }),
  });
  const outputFolder = path.join(ROOT, OUTPUT, name);
  const outputs = built
    .outputFiles!.map(file => ({
      path: path.relative(outputFolder, file.path).split(path.sep).join('/'),
      contents: file.contents,
    }))
    .sort((left, right) => (left.path < right.path ? -1 : 1));
  const read = DATA_READER in built.metafile!.inputs ? DATA_FILES : [];
  const data = read.map(file => ({ path: file, contents: readFileSync(path.join(ROOT, file)) }));
  return {
    files: [...outputs.filter(file => !file.path.endsWith('.map')), ...data],
    maps: outputs.filter(file => file.path.endsWith('.map')),
    metafile: built.metafile!,
  };
}

/** Writes the files of a bundle into a folder, which is made where it does not exist. */
export function writeBundle(bundle: HandlerBundle, folder: string): void {
  for (const { path: file, contents } of bundle.files) {
    const target = path.join(folder, file);
    mkdirSync(path.dirname(target), { recursive: true });
    writeFileSync(target, contents);
  }
}

function optionsFor(name: HandlerName): BuildOptions {
  return {
    absWorkingDir: ROOT,
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
    sourcemap: 'external',
    sourcesContent: false,
    banner: { js: BANNER },
    external: ['@electric-sql/*', 'pg-native', 'cloudflare:sockets'],
    logLevel: 'error',
  };
}
