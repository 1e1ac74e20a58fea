import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import path from 'node:path';

/** The checkout. */
const ROOT = path.resolve(import.meta.dirname, '../..');

/** Of a checkout alone; Git ignores it. An installed package brings its bundle along. */
const CACHE = path.join(ROOT, '.cache');

/** What a bundle was made from and what it consists of. */
export interface BundleRecord {
  /** Size in bytes and time of the last change, by path from the checkout. */
  readonly inputs: Readonly<Record<string, readonly [bytes: number, changedMs: number]>>;
  /** Sizes in bytes by name, of what must be there; the first file is the program. */
  readonly outputs: Readonly<Record<string, number>>;
}

/** Where the files of a checkout's bundle lie. */
export interface BundlePlace {
  readonly root: string;
  /** The files of this bundle, and of earlier ones that a process may still run. */
  readonly programs: string;
  /** The record, which is written last: a bundle without a record does not exist. */
  readonly record: string;
}

/**
 * Finds the bundle of the command line, which starts in a third of the time that the sources need.
 * A bundle that is missing or was made from other sources is made anew.
 * @returns the path of the program, for `load-program.cjs`; undefined where there is none and none
 *   can be made: without esbuild, in a folder that cannot be written to, from sources that do not
 *   compile
 */
export async function findBundle(): Promise<string | undefined> {
  const place: BundlePlace = {
    root: ROOT,
    programs: path.join(CACHE, 'programs'),
    record: path.join(CACHE, 'program.json'),
  };
  const current = readCurrent(place) ?? (await remake(place));
  const entry = current && Object.keys(current.outputs)[0];
  return entry === undefined ? undefined : path.join(place.programs, entry);
}

/** Reads the record of a bundle that is whole and that these sources would give again. */
function readCurrent(place: BundlePlace): BundleRecord | undefined {
  try {
    const record: BundleRecord = JSON.parse(readFileSync(place.record, 'utf8'));
    return isCurrent(record, place) ? record : undefined;
  } catch {
    return undefined;
  }
}

function isCurrent({ inputs, outputs }: BundleRecord, { root, programs }: BundlePlace): boolean {
  for (const [file, [bytes, changedMs]] of Object.entries(inputs)) {
    const found = statSync(path.join(root, file), { throwIfNoEntry: false });
    if (found?.size !== bytes || found.mtimeMs !== changedMs) return false;
  }
  return Object.entries(outputs).every(
    ([file, bytes]) => statSync(path.join(programs, file), { throwIfNoEntry: false })?.size === bytes,
  );
}

async function remake(place: BundlePlace): Promise<BundleRecord | undefined> {
  try {
    accessSync(place.root, constants.W_OK);
    // Loaded where it is needed: esbuild is no part of a start with a bundle.
    const { makeBundle } = await import('./make-bundle.ts');
    return makeBundle(place);
  } catch {
    return undefined;
  }
}
