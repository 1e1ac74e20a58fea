import { readModelFolder } from '../adapters/model-folder/read-model-folder.ts';
import { createDigester } from '../core/publish/composite-checksum.ts';
import { composeManifest, MANIFEST_FILE } from '../core/publish/model-manifest.ts';
import type { Published } from '../core/publish/published.ts';
import { publishModel } from '../pipeline/publish/publish-model.ts';
import type { FolderFile } from '../ports/model-folder.ts';

interface PublishRequest {
  readonly folder: string;
  readonly bucket: string;
  /** The prefix of all models of the bucket. Ends with a slash. */
  readonly basePrefix: string;
  readonly region: string | undefined;
  readonly apply: boolean;
  readonly signal: AbortSignal;
  readonly onBytes: (step: 'read' | 'sent', bytes: number, ofBytes: number) => void;
}

export type PublishedFolder = Published & {
  /** SHA-256 of the manifest, hexadecimal, which names the prefix. */
  readonly sha256: string;
  /** The prefix that the files are under, with the slash at its end. */
  readonly prefix: string;
};

/** Reads a model's folder and publishes it under the digest of its contents. */
export async function publishFolder(request: PublishRequest): Promise<PublishedFolder> {
  const { onBytes } = request;
  const files = await readModelFolder(request.folder, (bytes, ofBytes) => onBytes('read', bytes, ofBytes));
  const { text, sha256 } = composeManifest(files);
  const prefix = `${request.basePrefix}${sha256}/`;
  // The SDK takes a while to load: a folder that is refused must not wait for it.
  const { openModelBucket } = await import('../adapters/s3/s3-model-bucket.ts');
  const { bucket: name, region } = request;
  const endpoint = process.env.AWS_ENDPOINT_URL_S3 ?? process.env.AWS_ENDPOINT_URL;
  const bucket = await openModelBucket({ bucket: name, region, endpoint });
  try {
    const published = await publishModel(bucket, prefix, [...files, describeText(MANIFEST_FILE, text)], {
      apply: request.apply,
      signal: request.signal,
      onSent: (bytes, ofBytes) => onBytes('sent', bytes, ofBytes),
    });
    return { ...published, sha256, prefix };
  } finally {
    bucket.close();
  }
}

function describeText(path: string, text: string): FolderFile {
  const body = Buffer.from(text);
  const digester = createDigester();
  digester.update(body);
  return { path, ...digester.finish(), open: () => once(body) };
}

async function* once(body: Buffer): AsyncIterable<Buffer> {
  yield body;
}
