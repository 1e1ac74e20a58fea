import { createHash } from 'node:crypto';

/** A file of a model. Its path is relative to the folder, with slashes. */
interface ModelFile {
  readonly path: string;
  readonly bytes: number;
  /** SHA-256 of the whole file, in hexadecimal. */
  readonly sha256: string;
}

/**
 * The list of a published model's files, as JSON, with its digest.
 * The model's prefix in the bucket is named by that digest.
 */
interface ModelManifest {
  readonly text: string;
  readonly sha256: string;
}

export const MANIFEST_FILE = 'manifest.json';

/** Composes the manifest. The same files give the same text in whatever order they come. */
export function composeManifest(files: readonly ModelFile[]): ModelManifest {
  const sorted = files
    .map(({ path, bytes, sha256 }) => ({ path, bytes, sha256 }))
    .sort((one, other) => (one.path < other.path ? -1 : 1));
  const text = `${JSON.stringify({ version: 1, files: sorted }, null, 2)}\n`;
  return { text, sha256: createHash('sha256').update(text).digest('hex') };
}
