import { createHash, type Hash } from 'node:crypto';
import { parseJson } from './messages.ts';
import { sha256Hex } from './text.ts';

/**
 * Bytes of one part of a large upload.
 * S3 takes 10,000 parts, which are 80 GB of this size.
 */
export const PART_BYTES = 8 * 1024 * 1024;

/** The size of a file, and its digests for the manifest and for S3. */
export interface FileDigests {
  readonly bytes: number;
  /** SHA-256 of the whole file, in hexadecimal. */
  readonly sha256: string;
  /**
   * The object's SHA-256 checksum as S3 reports it, in base64.
   * For more than one part it is the digest of the parts' digests, followed by `-` and their
   * number.
   */
  readonly checksum: string;
}

/**
 * Creates a digester that takes a file once, in pieces of any size.
 * Call `update` for each piece in order, then `finish` once.
 */
export function createDigester(partBytes = PART_BYTES) {
  const whole = createHash('sha256');
  const parts: Buffer[] = [];
  let part: Hash | undefined;
  let partLength = 0;
  let bytes = 0;
  const closePart = () => {
    if (part !== undefined) parts.push(part.digest());
    part = undefined;
    partLength = 0;
  };
  return {
    update(piece: Buffer): void {
      whole.update(piece);
      bytes += piece.length;
      for (let start = 0; start < piece.length; ) {
        const end = Math.min(piece.length, start + partBytes - partLength);
        part ??= createHash('sha256');
        part.update(piece.subarray(start, end));
        partLength += end - start;
        start = end;
        if (partLength === partBytes) closePart();
      }
    },
    finish(): FileDigests {
      closePart();
      const sha256 = whole.digest();
      const checksum =
        parts.length > 1
          ? `${createHash('sha256').update(Buffer.concat(parts)).digest('base64')}-${parts.length}`
          : sha256.toString('base64');
      return { bytes, sha256: sha256.toString('hex'), checksum };
    },
  };
}

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
  return { text, sha256: sha256Hex(text) };
}

const NEEDED = ['config.json', 'tokenizer.json'] as const;

/**
 * Finds what keeps the embedding image from serving a folder: one sentence per problem.
 * `paths` are relative to the folder, with slashes.
 */
export function findMissingFiles(paths: readonly string[]): string[] {
  const problems: string[] = NEEDED.filter(name => !paths.includes(name)).map(
    name => `${name} is missing at the top of the folder.`,
  );
  if (!paths.some(path => isWeights(path) && !path.includes('/')))
    problems.push(
      'No weights as safetensors are at the top of the folder; other formats run code when they are read.',
    );
  if (paths.includes(MANIFEST_FILE))
    problems.push(
      `${MANIFEST_FILE} is a name that is written beside the files: ` +
        'rename yours, or publish the folder as the hub gave it.',
    );
  return problems;
}

export function isWeights(path: string): boolean {
  return path.endsWith('.safetensors');
}

/** Bytes before the header of a safetensors file: the header's length, little-endian. */
export const SAFETENSORS_PREFIX_BYTES = 8;

/** The longest header that the safetensors format allows. */
const MAX_HEADER_BYTES = 100_000_000;

/**
 * Reads the header's length in bytes; undefined where the file is no safetensors.
 * Usually such a file is a pointer of Git LFS, which a clone without Git LFS leaves behind.
 */
export function readHeaderLength(prefix: Buffer): number | undefined {
  if (prefix.length < SAFETENSORS_PREFIX_BYTES) return undefined;
  const length = prefix.readBigUInt64LE(0);
  return length >= 2n && length <= BigInt(MAX_HEADER_BYTES) ? Number(length) : undefined;
}

/**
 * Bytes that the file needs for every tensor in its header.
 * Undefined where the header cannot be read.
 */
export function measureSafetensors(header: Buffer): number | undefined {
  const tensors = parseJson(header.toString('utf8'));
  if (typeof tensors !== 'object' || tensors === null) return undefined;
  const ends = Object.entries(tensors)
    .filter(([name]) => name !== '__metadata__')
    .map(([, tensor]) => (tensor as { data_offsets?: readonly unknown[] } | null)?.data_offsets?.[1]);
  if (ends.some(end => typeof end !== 'number')) return undefined;
  return (
    SAFETENSORS_PREFIX_BYTES +
    header.length +
    (ends as number[]).reduce((last, end) => Math.max(last, end), 0)
  );
}

/**
 * Counts of a publication.
 * `missingFiles` and `missingBytes` count what the bucket did not have before.
 */
export interface Published {
  readonly files: number;
  readonly bytes: number;
  readonly missingFiles: number;
  readonly missingBytes: number;
}
