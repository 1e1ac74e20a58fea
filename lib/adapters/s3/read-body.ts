import { Readable } from 'node:stream';
import type { GetObjectCommandOutput } from '@aws-sdk/client-s3';
import { FreshetError } from '../../core/errors/freshet-error.ts';

/**
 * Reads the whole body of an object; the SDK checks its checksum on the way.
 * Reading stops at `maxObjectBytes`, whatever the header said.
 * @throws FreshetError `object_too_large`, of class `unknown`
 * @throws FreshetError `aws_body_broken`, of class `transient`
 */
export async function readBody(answer: GetObjectCommandOutput, maxObjectBytes: number): Promise<Buffer> {
  const { Body, ContentLength } = answer;
  if (!(Body instanceof Readable)) throw brokenBody();
  if (ContentLength !== undefined && ContentLength > maxObjectBytes) {
    Body.destroy();
    throw tooLarge(maxObjectBytes);
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of Body) {
      bytes += chunk.length;
      if (bytes > maxObjectBytes) throw tooLarge(maxObjectBytes);
      chunks.push(chunk);
    }
  } catch (error) {
    // The connection broke or stalled, or the checksum differs.
    throw error instanceof FreshetError ? error : brokenBody();
  }
  if (ContentLength !== undefined && bytes !== ContentLength) throw brokenBody();
  return Buffer.concat(chunks, bytes);
}

function tooLarge(maxObjectBytes: number): FreshetError {
  return new FreshetError(`S3 holds an object of over ${maxObjectBytes} bytes, which is none of ours.`, {
    failureClass: 'unknown',
    code: 'object_too_large',
  });
}

function brokenBody(): FreshetError {
  return new FreshetError('S3 did not send the whole object (aws_body_broken): it is tried again.', {
    failureClass: 'transient',
    code: 'aws_body_broken',
  });
}
