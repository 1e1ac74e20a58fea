import { closeSync, mkdirSync, openSync, renameSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { UsageError } from '../core/errors.ts';
import type { Outcome } from '../core/model.ts';
import { failureOfOutcome } from '../core/outcomes.ts';
import { MAX_ATTEMPTS } from '../core/packing.ts';

/** A file of lines, as logs are. A line is given without its line end. */
export interface LineFile {
  write(line: string): void;
  close(): void;
}

/**
 * Opens a file to which lines are appended.
 * What is written survives a kill of the process. At opening, a file of over `maxBytes` becomes
 * `<file>.1`. `mode`: the rights of a new file; undefined: those that the umask leaves.
 * @throws UsageError when the file cannot be written.
 */
export function openLineFile(
  file: string,
  { maxBytes = Number.POSITIVE_INFINITY, mode }: { readonly maxBytes?: number; readonly mode?: number } = {},
): LineFile {
  try {
    mkdirSync(dirname(file), { recursive: true });
    if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > maxBytes) renameSync(file, `${file}.1`);
    const descriptor = openSync(file, 'a', mode);
    return {
      write: line => void writeSync(descriptor, `${line}\n`),
      close: () => closeSync(descriptor),
    };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    throw new UsageError(
      `${file} cannot be written (${code}).`,
      'Check that its folder exists and may be written to.',
    );
  }
}

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

/**
 * Composes a line of the failure log: ids and codes, no text.
 * Class and code are those that `failures` prints.
 */
export function describeFailedRow(
  row: { readonly source: string; readonly id: string; readonly outcome: Outcome },
  nowMs: number,
): string {
  const failure = failureOfOutcome(row.outcome);
  return JSON.stringify({
    time: new Date(nowMs).toISOString(),
    source: row.source,
    id: row.id,
    class: failure?.failureClass,
    code: failure?.code,
    attempts: row.outcome === 'undelivered' ? MAX_ATTEMPTS : 1,
  });
}
