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
 * Throws a `RangeError` for what `decodeResult` would refuse in the header, or a vector of other dimensions: a fault of the caller, found before anything
 * is stored. The vectors are laid out where they stay: each is copied once.
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
