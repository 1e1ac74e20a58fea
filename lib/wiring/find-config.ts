import { access, readdir } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { findOwnFile } from '../adapters/own-files.ts';
import { UsageError } from '../core/errors.ts';
import { FRESHET } from '../core/own-command.ts';

/** The demo's configuration; JavaScript in an installed package. */
export const findDemo = () =>
  findOwnFile('examples/demo/freshet.config.ts', 'examples/demo/freshet.config.js');

/** The files that are looked for. The first file that exists counts. */
export const OWN_FILES = ['ts', 'mts', 'cts', 'js', 'mjs', 'cjs'].map(
  extension => `freshet.config.${extension}`,
);

/** Names that somebody gives a configuration who expects it to be found. */
const MEANT_AS_CONFIGURATION =
  /^\.?freshet[._-]?(config|conf|rc)(\.(ts|mts|cts|tsx|js|mjs|cjs|jsx|json|json5|jsonc|yaml|yml|toml))?$/i;

/**
 * Finds the configuration: the file that is named, else one of the folder, else the demo's.
 * @throws UsageError where that file is missing, and where the demo would stand in for another one.
 */
export async function findFile(named: string | undefined, directory: string): Promise<string> {
  if (named !== undefined) {
    const file = resolve(directory, named);
    if (await exists(file)) return file;
    throw new UsageError(
      `The configuration ${named} does not exist.`,
      `Name a file with --config; ${FRESHET} init writes one.`,
    );
  }
  for (const own of OWN_FILES.map(name => join(directory, name))) if (await exists(own)) return own;
  await refuseOverlooked(directory);
  return findDemo();
}

/** Refuses to take the demo where a file looks like the configuration that somebody meant. */
async function refuseOverlooked(directory: string): Promise<void> {
  const meant = (await readdir(directory)).find(name => MEANT_AS_CONFIGURATION.test(name));
  if (meant === undefined) return refuseInFolder(directory);
  throw new UsageError(
    `${meant} is not read: a configuration is one of ${OWN_FILES.join(', ')}.`,
    `Rename it, name another file with --config, or move ${meant} away for the demo.`,
  );
}

/** Refuses to take the demo in a folder of a project that has a configuration of its own. */
async function refuseInFolder(directory: string): Promise<void> {
  for (let above = dirname(resolve(directory)); ; above = dirname(above)) {
    for (const own of OWN_FILES.map(name => join(above, name))) {
      if (await exists(own))
        throw new UsageError(
          `There is no configuration here, and the demo is not taken in the place of ${own}.`,
          `Go to ${above}, or name the file: --config ${relative(directory, own)}`,
        );
    }
    if (above === dirname(above)) return;
  }
}

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
