import { access } from 'node:fs/promises';
import { basename, extname, isAbsolute, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { FreshetConfig } from '../core/config/config-schema.ts';
import { parseConfig } from '../core/config/parse-config.ts';
import type { PipelineConfig } from '../core/config/pipeline-config.ts';
import { UsageError } from '../core/errors/usage-error.ts';

export interface LoadedConfig {
  readonly config: PipelineConfig;
  /** The configuration as the file exports it; `config` was made from it. */
  readonly input: FreshetConfig;
  /** The file as people name it: relative to the current folder where it lies in that folder. */
  readonly file: string;
  /** True: the file is the bundled demo, whose table may be created. */
  readonly demo: boolean;
}

/** The demo's configuration; JavaScript in an installed package, as this file is. */
const demoFile = resolve(
  import.meta.dirname,
  `../../examples/demo/freshet.config${extname(import.meta.filename)}`,
);

/** The files that are looked for. The first file that exists counts. */
const OWN_FILES = ['freshet.config.ts', 'freshet.config.js', 'freshet.config.mjs'];

/**
 * Reads the configuration file, which is code and is run.
 * The file is the one given, else `freshet.config.ts` (or `.js`, `.mjs`) in `directory`, else the
 * demo's.
 * @throws UsageError when the file is missing, does not compile, or has no configuration as its
 * default export.
 */
export async function loadConfig(given: string | undefined, directory: string): Promise<LoadedConfig> {
  const file = await findFile(given, directory);
  const name = displayName(file, directory);
  const loaded = await importFile(file, name);
  if (!('default' in loaded))
    throw new UsageError(
      `${name} has no default export.`,
      `export default defineConfig({ sources: [ … ] }); // see examples/openai/freshet.config.ts`,
    );
  try {
    const config = parseConfig(loaded.default);
    return { config, input: loaded.default as FreshetConfig, file: name, demo: file === demoFile };
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`${name}: ${error.message}`, error.remedy);
    throw error;
  }
}

async function findFile(given: string | undefined, directory: string): Promise<string> {
  if (given !== undefined) {
    const file = resolve(directory, given);
    if (await exists(file)) return file;
    throw new UsageError(
      `The configuration ${given} does not exist.`,
      'Name a file with --config, or copy examples/openai/freshet.config.ts.',
    );
  }
  for (const own of OWN_FILES.map(name => join(directory, name))) if (await exists(own)) return own;
  return demoFile;
}

async function importFile(file: string, name: string): Promise<Record<string, unknown>> {
  try {
    return await import(pathToFileURL(file).href);
  } catch (error) {
    const reason = error instanceof Error ? error : new Error(String(error));
    const place = new RegExp(`${escapePattern(basename(file))}:(\\d+)`).exec(reason.stack ?? '');
    const where = place === null ? name : `${name}:${place[1]}`;
    throw new UsageError(`${where} cannot be loaded: ${reason.name}: ${reason.message.trim()}`);
  }
}

function displayName(file: string, directory: string): string {
  const path = relative(directory, file);
  return path.startsWith('..') || isAbsolute(path) ? file : path;
}

function escapePattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
