import { createHash } from 'node:crypto';

/** A file of a model, named by its path within the folder, with slashes. */
interface ModelFile {
  readonly path: string;
  readonly bytes: number;
  /** Of the whole file, in hexadecimal digits. */
  readonly sha256: string;
}

/** What a published model consists of. Its own SHA-256 is the name of the prefix. */
interface ModelManifest {
  readonly text: string;
  readonly sha256: string;
}

export const MANIFEST_FILE = 'manifest.json';

/** The same files give the same text, whatever order they come in. */
export function composeManifest(files: readonly ModelFile[]): ModelManifest {
  const sorted = files
    .map(({ path, bytes, sha256 }) => ({ path, bytes, sha256 }))
    .sort((one, other) => (one.path < other.path ? -1 : 1));
  const text = `${JSON.stringify({ version: 1, files: sorted }, null, 2)}\n`;
  return { text, sha256: createHash('sha256').update(text).digest('hex') };
}
