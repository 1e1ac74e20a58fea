import type { FileDigests } from '../core/publish/composite-checksum.ts';

export interface FolderFile extends FileDigests {
  /** Within the folder, with slashes. */
  readonly path: string;
  /** Its bytes, from the first one each time. */
  open(): AsyncIterable<Buffer>;
}
