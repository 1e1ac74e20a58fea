import { FreshetError } from '../errors/freshet-error.ts';
import type { ResultObject } from '../model/result-object.ts';
import { checkVectorArray } from '../vectors/check-vector-array.ts';
import { fromColumns } from './columns.ts';
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
 * Decodes a result object; `vectors` is a view into `body`.
 * Nothing is read beyond the lengths that were checked. Whether the bytes are the announced ones is
 * left to the caller, who compares their digest.
 * @throws FreshetError `corrupt_result`, of class `unknown`
 */
export function decodeResult(body: Buffer): ResultObject {
  try {
    return readResult(body);
  } catch {
    throw new FreshetError('A result object cannot be read; its rows are dispatched again.', {
      failureClass: 'unknown',
      code: 'corrupt_result',
    });
  }
}

function readResult(body: Buffer): ResultObject {
  if (!body.subarray(0, MAGIC.length).equals(MAGIC)) throw new RangeError('Not a result object.');
  const vectorStart = PREFIX_BYTES + body.readUInt32BE(MAGIC.length);
  if (vectorStart > body.length) throw new RangeError('The header is cut off.');
  const header: Record<string, unknown> = JSON.parse(body.toString('utf8', PREFIX_BYTES, vectorStart));
  const [identity] = fromColumns<Identity>(header.scalars, SCALAR_FIELDS);
  if (identity === undefined) throw new RangeError('It belongs to no space.');
  const result: ResultObject = {
    ...identity,
    calls: fromColumns(header.calls, CALL_FIELDS),
    outcomes: fromColumns(header.outcomes, OUTCOME_FIELDS),
    copies: fromColumns(header.copies, COPY_FIELDS),
    touches: fromColumns(header.touches, TOUCH_FIELDS),
    verdicts: fromColumns(header.verdicts, VERDICT_FIELDS),
    vectors: body.subarray(vectorStart),
  };
  // This also proves that nothing is cut off or added: the entries determine the length of the
  // vectors.
  checkVectorArray(
    result.vectors,
    result.outcomes.map(entry => entry.outcome === 'embedded'),
    result.dimensions,
  );
  return result;
}

type Identity = Pick<ResultObject, 'spaceId' | 'dispatchId' | 'lane' | 'runId' | 'dimensions'>;
