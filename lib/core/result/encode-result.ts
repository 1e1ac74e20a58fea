import type { ComposedResult } from '../model/result-object.ts';
import { measureVectorArray, writeVectorArray } from '../vectors/encode-vector-array.ts';
import { toColumns } from './columns.ts';
import {
  CALL_FIELDS,
  COPY_FIELDS,
  MAGIC,
  OUTCOME_FIELDS,
  PREFIX_BYTES,
  SCALAR_FIELDS,
  TOUCH_FIELDS,
  VERDICT_FIELDS,
} from './result-layout.ts';

/**
 * Encodes a result as the bytes of a result object.
 * Each vector is copied once, to the place where it stays.
 * @throws RangeError for what `decodeResult` would refuse in the header, and for a vector of other
 *   dimensions: both are faults of the caller, found before anything is stored
 */
export function encodeResult(result: ComposedResult): Buffer {
  const { vectors, dimensions } = result;
  const scalars = toColumns([result], SCALAR_FIELDS);
  const header = JSON.stringify({
    scalars,
    calls: toColumns(result.calls, CALL_FIELDS),
    outcomes: toColumns(result.outcomes, OUTCOME_FIELDS),
    copies: toColumns(result.copies, COPY_FIELDS),
    touches: toColumns(result.touches, TOUCH_FIELDS),
    verdicts: toColumns(result.verdicts, VERDICT_FIELDS),
  });
  const headerBytes = Buffer.byteLength(header);
  const vectorStart = PREFIX_BYTES + headerBytes;
  const body = Buffer.allocUnsafe(vectorStart + measureVectorArray(vectors, dimensions));
  MAGIC.copy(body);
  body.writeUInt32BE(headerBytes, MAGIC.length);
  body.write(header, PREFIX_BYTES);
  writeVectorArray(body.subarray(vectorStart), vectors, dimensions);
  return body;
}
