import type { ResultObject } from '../model/result-object.ts';
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

/** Throws a `RangeError` for what `decodeResult` would refuse in the header: a fault of the caller, found before anything is stored. */
export function encodeResult(result: ResultObject): Buffer {
  const scalars = toColumns([result], SCALAR_FIELDS);
  const header = Buffer.from(
    JSON.stringify({
      scalars,
      calls: toColumns(result.calls, CALL_FIELDS),
      outcomes: toColumns(result.outcomes, OUTCOME_FIELDS),
      copies: toColumns(result.copies, COPY_FIELDS),
      touches: toColumns(result.touches, TOUCH_FIELDS),
      verdicts: toColumns(result.verdicts, VERDICT_FIELDS),
    }),
  );
  const body = Buffer.allocUnsafe(PREFIX_BYTES + header.length + result.vectors.length);
  MAGIC.copy(body);
  body.writeUInt32BE(header.length, MAGIC.length);
  header.copy(body, PREFIX_BYTES);
  result.vectors.copy(body, PREFIX_BYTES + header.length);
  return body;
}
