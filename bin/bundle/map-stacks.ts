import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

type Frame = Parameters<NonNullable<typeof Error.prepareStackTrace>>[1][number];

/**
 * Makes stacks name the sources of the files in `folder` instead of those files.
 * A source map is read when the first stack that needs it is asked for: Node's own support reads
 * the map of every file that is loaded.
 */
export function mapStacks(folder: string): void {
  const maps = new Map<string, SourceMap | undefined>();
  const mapOf = (file: string) => {
    if (!maps.has(file)) maps.set(file, path.dirname(file) === folder ? readMap(file) : undefined);
    return maps.get(file);
  };
  Error.prepareStackTrace = (error, frames) => {
    const lines = frames.map(frame => `\n    at ${describeFrame(frame, mapOf)}`);
    return `${describeError(error)}${lines.join('')}`;
  };
}

function describeError(error: Error): string {
  try {
    return Error.prototype.toString.call(error);
  } catch {
    return 'Error';
  }
}

/** The frame as V8 writes it, with the place in the source where a map tells it. */
function describeFrame(frame: Frame, mapOf: (file: string) => SourceMap | undefined): string {
  const written = String(frame);
  const [row, column] = [frame.getLineNumber(), frame.getColumnNumber()];
  const url = frame.getFileName();
  if (row === null || column === null || !url?.startsWith('file:')) return written;
  const file = fileURLToPath(url);
  const origin = mapOf(file)?.findEntry(row - 1, column - 1);
  if (origin === undefined || !('originalSource' in origin)) return written;
  const source = pathToFileURL(path.resolve(path.dirname(file), origin.originalSource)).href;
  return written.replace(
    `${url}:${row}:${column}`,
    `${source}:${origin.originalLine + 1}:${origin.originalColumn + 1}`,
  );
}

function readMap(file: string): SourceMap | undefined {
  try {
    return new SourceMap(JSON.parse(readFileSync(`${file}.map`, 'utf8')));
  } catch {
    return undefined;
  }
}
