import type { FileDigests } from '../core/publish/composite-checksum.ts';

/** A file of a model's folder, with the digests of its contents. */
export interface FolderFile extends FileDigests {
  /** Path within the folder, with slashes. */
  readonly path: string;
  /** Opens the bytes of the file. Every call begins at the first byte. */
  open(): AsyncIterable<Buffer>;
}
