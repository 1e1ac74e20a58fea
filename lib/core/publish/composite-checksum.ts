import { createHash, type Hash } from 'node:crypto';

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
