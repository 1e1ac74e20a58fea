import { type LineFile, openLineFile } from './open-line-file.ts';

/**
 * Opens the failure log before the work begins, and closes it after the work.
 * A wrong file name thereby costs nothing.
 * @throws UsageError when the file cannot be written.
 */
export async function withFailureLog<Result>(
  file: string | undefined,
  use: (log: LineFile | undefined) => Promise<Result>,
): Promise<Result> {
  const log = file === undefined ? undefined : openLineFile(file);
  try {
    return await use(log);
  } finally {
    log?.close();
  }
}
