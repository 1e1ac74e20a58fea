import { chmod, lstat, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { UsageError } from '../core/errors.ts';

/** Rights of a folder and of a file that hold texts of rows: their owner's alone. */
const FOLDER_MODE = 0o700;
export const PRIVATE_FILE_MODE = 0o600;

/**
 * Makes a folder that only its owner may enter, and leaves one that is there to its owner alone.
 * An earlier version, or the umask of a shell, may have made it wider. What cannot be narrowed
 * stays: the folder of another user cannot be changed here, and a file system without rights has
 * none to give.
 * @throws UsageError where the folder cannot be made
 */
export async function makePrivateFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: FOLDER_MODE }).catch((error: NodeJS.ErrnoException) => {
    throw cannotMake(folder, error.code ?? 'unknown');
  });
  await narrow(folder, FOLDER_MODE);
}

function cannotMake(folder: string, code: string): UsageError {
  if (code === 'EEXIST' || code === 'ENOTDIR')
    return new UsageError(`${folder} cannot be made: a file stands in its place. Move that file away.`);
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new UsageError(`${folder} cannot be made: no space is left there (${code}).`);
  return new UsageError(
    `${folder} cannot be made (${code}): Freshet keeps its log there. Work in a folder that this user ` +
      'may write to.',
  );
}

/**
 * Leaves a folder and the files in it to their owner alone; links are not followed.
 * @param depth `files`: the files that lie in the folder itself; `tree`: all below it
 */
export async function narrowFolder(folder: string, depth: 'files' | 'tree'): Promise<void> {
  // The folder comes first: nobody else enters it while the rest is walked.
  await narrow(folder, FOLDER_MODE);
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  await Promise.all(
    entries.map(async entry => {
      const path = join(folder, entry.name);
      if (entry.isFile()) await narrow(path, PRIVATE_FILE_MODE);
      if (entry.isDirectory() && depth === 'tree') await narrowFolder(path, depth);
    }),
  );
}

/** Takes the rights that are not in `mode`; a path that is gone or another user's is left. */
async function narrow(path: string, mode: number): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined || found.isSymbolicLink() || (found.mode & 0o777 & ~mode) === 0) return;
  await chmod(path, found.mode & mode).catch(() => undefined);
}
