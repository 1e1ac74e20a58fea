import { randomUUID } from 'node:crypto';
import { constants, copyFile, link, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, relative } from 'node:path';
import { UsageError } from '../core/errors.ts';

/**
 * Writes a file whole or not at all, and never over another one unless that was asked for.
 * The text is written beside the file and then takes its name, so nobody reads half of it, and a
 * file that another process makes in the meantime stays.
 * @throws UsageError where the file exists and `force` is false, and where it cannot be written
 */
export async function writeNewFile(path: string, text: string, force: boolean): Promise<void> {
  const draft = `${path}.${randomUUID()}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(draft, text, { flag: 'wx' });
    if (force) await rename(draft, path);
    else await takeFreeName(draft, path);
  } catch (error) {
    throw error instanceof UsageError ? error : describeUnwritable(path, error);
  } finally {
    await rm(draft, { force: true }).catch(() => undefined);
  }
}

/** Says why a file is not there, without the name of its draft. */
function describeUnwritable(path: string, error: unknown): UsageError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  return new UsageError(
    `${relative(process.cwd(), path)} cannot be written (${code}), and nothing was.`,
    code === 'ENOSPC' || code === 'EDQUOT'
      ? 'Free some space, or name another file with --output.'
      : 'Work in a folder that this user may write to, or name another file with --output.',
  );
}

async function takeFreeName(draft: string, path: string): Promise<void> {
  try {
    await link(draft, path).catch(error => {
      if (isExisting(error)) throw error;
      // A file system without hard links: the copy still refuses a name that is taken.
      return copyFile(draft, path, constants.COPYFILE_EXCL);
    });
  } catch (error) {
    throw isExisting(error) ? describeExisting(path) : error;
  }
}

function isExisting(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EEXIST';
}

/** Says that a file is there and stays. */
export function describeExisting(path: string): UsageError {
  const name = relative(process.cwd(), path);
  return new UsageError(`${name} exists, and was left as it is.`, '--force overwrites it.');
}
