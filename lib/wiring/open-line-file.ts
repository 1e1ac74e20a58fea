import { closeSync, mkdirSync, openSync, renameSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { UsageError } from '../core/errors/usage-error.ts';

export interface LineFile {
  write(line: string): void;
  close(): void;
}

/**
 * Opens a file to which lines are appended.
 * What is written survives a kill of the process. At opening, a file of over `maxBytes` becomes
 * `<file>.1`.
 * @throws UsageError when the file cannot be written.
 */
export function openLineFile(file: string, maxBytes = Number.POSITIVE_INFINITY): LineFile {
  try {
    mkdirSync(dirname(file), { recursive: true });
    if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > maxBytes) renameSync(file, `${file}.1`);
    const descriptor = openSync(file, 'a');
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
