import { type LineFile, openLineFile } from './open-line-file.ts';

/** Opens the file before the work begins, so that a wrong name costs nothing, and closes it after. */
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
