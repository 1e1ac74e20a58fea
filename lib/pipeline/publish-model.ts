import { FreshetError } from '../core/errors.ts';
import type { Published } from '../core/model-manifest.ts';
import type { FolderFile, ModelFileStore } from '../ports/provider.ts';

interface PublishOptions {
  /** False: only looks what is there. */
  readonly apply: boolean;
  readonly signal: AbortSignal;
  /** Told the bytes sent so far, of the bytes that are to be sent. */
  readonly onSent: (bytes: number, ofBytes: number) => void;
}

/**
 * Puts the files of a model into a bucket, and checks each file's checksum there.
 * A file that is there with the right checksum stays as it is. The last file is the manifest: where
 * the manifest stands, the other files stand.
 * @throws FreshetError with code `checksum_differs` where S3 holds other bytes than were read.
 */
export async function publishModel(
  bucket: ModelFileStore,
  prefix: string,
  files: readonly FolderFile[],
  { apply, signal, onSent }: PublishOptions,
): Promise<Published> {
  const missing: FolderFile[] = [];
  for (const file of files) if (!(await isThere(bucket, prefix, file))) missing.push(file);
  const ofBytes = countBytes(missing);
  if (apply) {
    let bytesBefore = 0;
    for (const file of missing) {
      signal.throwIfAborted();
      await bucket.put(prefix + file.path, file.bytes, file.open, {
        signal,
        onSent: bytes => onSent(bytesBefore + bytes, ofBytes),
      });
      bytesBefore += file.bytes;
      if (!(await isThere(bucket, prefix, file))) throw checksumDiffers(file.path);
    }
  }
  return {
    files: files.length,
    bytes: countBytes(files),
    missingFiles: missing.length,
    missingBytes: ofBytes,
  };
}

async function isThere(bucket: ModelFileStore, prefix: string, file: FolderFile): Promise<boolean> {
  const found = await bucket.head(prefix + file.path);
  return found?.bytes === file.bytes && found.checksum === file.checksum;
}

function countBytes(files: readonly FolderFile[]): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}

function checksumDiffers(path: string): FreshetError {
  return new FreshetError(
    `What S3 holds as ${path} is not what was read: the file changed meanwhile, ` +
      'or was broken on its way. Publish once more.',
    { failureClass: 'transient', code: 'checksum_differs' },
  );
}
