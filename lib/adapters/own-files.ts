import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

let folder: string | undefined;

/**
 * Finds a file that belongs to this program, by its path from the folder of `package.json`.
 * That folder is the checkout, or what an installed package has in place of it. A module that was
 * bundled lies anywhere in it, so the folder is looked for upwards.
 * @param paths the first one that exists counts: JavaScript stands in a package for TypeScript
 */
export function findOwnFile(...paths: readonly string[]): string {
  folder ??= findFolder(import.meta.dirname);
  const files = paths.map(path => join(folder!, path));
  return files.find(file => existsSync(file)) ?? files[0]!;
}

function findFolder(start: string): string {
  for (let at = start; ; at = dirname(at)) {
    if (readName(join(at, 'package.json')) === 'freshet') return at;
    if (at === dirname(at)) throw new Error(`There is no package.json of freshet above ${start}.`);
  }
}

function readName(file: string): string | undefined {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).name : undefined;
}
