import { FreshetError } from './errors.ts';
import { isCount } from './messages.ts';
import { isLane } from './model.ts';
import { isOutcome } from './outcomes.ts';
import type {
  ComposedResult,
  CopyEntry,
  LedgerEntry,
  OutcomeEntry,
  ResultObject,
  TouchEntry,
  Verdict,
} from './result-object.ts';
import { checkVectorArray, measureVectorArray, writeVectorArray } from './vectors.ts';

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
  const { storage } = header;
  if (storage !== undefined && storage !== 'halfvec') throw new RangeError('Vectors of another type.');
  const result: ResultObject = {
    ...identity,
    ...(storage && { storage }),
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
    storage,
  );
  return result;
}

type Identity = Pick<ResultObject, 'spaceId' | 'dispatchId' | 'lane' | 'runId' | 'dimensions'>;

/**
 * Encodes a result as the bytes of a result object.
 * Each vector is copied once, to the place where it stays.
 * @throws RangeError for what `decodeResult` would refuse in the header, and for a vector of other
 *   dimensions: both are faults of the caller, found before anything is stored
 */
export function encodeResult(result: ComposedResult): Buffer {
  const { vectors, dimensions, storage } = result;
  const scalars = toColumns([result], SCALAR_FIELDS);
  const header = JSON.stringify({
    scalars,
    ...(storage && { storage }),
    calls: toColumns(result.calls, CALL_FIELDS),
    outcomes: toColumns(result.outcomes, OUTCOME_FIELDS),
    copies: toColumns(result.copies, COPY_FIELDS),
    touches: toColumns(result.touches, TOUCH_FIELDS),
    verdicts: toColumns(result.verdicts, VERDICT_FIELDS),
  });
  const headerBytes = Buffer.byteLength(header);
  const vectorStart = PREFIX_BYTES + headerBytes;
  const body = Buffer.allocUnsafe(vectorStart + measureVectorArray(vectors, dimensions, storage));
  MAGIC.copy(body);
  body.writeUInt32BE(headerBytes, MAGIC.length);
  body.write(header, PREFIX_BYTES);
  writeVectorArray(body.subarray(vectorStart), vectors, dimensions, storage);
  return body;
}

/**
 * The first bytes of a result object.
 * The layout is: `FRESHET1`, the header's length as uint32 (big-endian), the header, the vectors.
 * The header is JSON. Its lists are turned into one array per field, which is about a third shorter
 * than objects and faster to read. It names the storage of the vectors unless that is `vector`, so
 * that objects of such spaces are what they always were.
 */
const MAGIC = Buffer.from('FRESHET1', 'latin1');
/** Bytes before the header: `FRESHET1` and the header's length. */
const PREFIX_BYTES = MAGIC.length + 4;

type FieldsOf<T> = { readonly [Key in keyof T]-?: FieldKind };

const READING = { id: 'text', version: 'textOrNull', xid: 'text', readAt: 'text' } as const;

const OUTCOME_FIELDS: FieldsOf<OutcomeEntry> = {
  ...READING,
  outcome: 'outcome',
  contentHash: 'textOrNull',
  textLength: 'count',
  keptLength: 'count',
  tokens: 'count',
};

const COPY_FIELDS: FieldsOf<CopyEntry> = {
  ...READING,
  contentHash: 'text',
  textLength: 'count',
  keptLength: 'count',
};

const TOUCH_FIELDS: FieldsOf<TouchEntry> = { ...READING, contentHash: 'text' };

const VERDICT_FIELDS: FieldsOf<Verdict> = {
  contentHash: 'text',
  failureClass: 'itemClass',
  code: 'text',
};

const CALL_FIELDS: FieldsOf<LedgerEntry> = {
  callId: 'text',
  modelAlias: 'text',
  lane: 'lane',
  items: 'count',
  uniqueTexts: 'count',
  tokens: 'count',
  costUsd: 'amount',
  latencyMs: 'amount',
  outcome: 'text',
  requestId: 'textOrNull',
};

const SCALAR_FIELDS = {
  spaceId: 'count',
  dispatchId: 'text',
  lane: 'lane',
  runId: 'countOrNull',
  dimensions: 'count',
} as const satisfies Readonly<Record<string, FieldKind>>;

/**
 * The check of each kind of field in a result's header.
 * Encoding and decoding use the same table, so that nothing is written that could not be read back.
 */
const FIELD_CHECKS = {
  text: (value: unknown) => typeof value === 'string',
  textOrNull: (value: unknown) => value === null || typeof value === 'string',
  count: isCount,
  countOrNull: (value: unknown) => value === null || isCount(value),
  amount: (value: unknown) => Number.isFinite(value) && Number(value) >= 0,
  lane: isLane,
  outcome: isOutcome,
  itemClass: (value: unknown) => value === 'item',
} as const;

type FieldKind = keyof typeof FIELD_CHECKS;

type Fields = Readonly<Record<string, FieldKind>>;

/**
 * Turns rows into one array per field.
 * @throws RangeError names the field whose value `fromColumns` could not read back
 */
function toColumns(rows: readonly object[], fields: Fields): Record<string, unknown[]> {
  const columns: Record<string, unknown[]> = {};
  for (const name of Object.keys(fields)) {
    const kind = fields[name] as FieldKind;
    const isValid = FIELD_CHECKS[kind];
    const column = rows.map(row => (row as Record<string, unknown>)[name]);
    if (!column.every(isValid)) throw new RangeError(`"${name}" is no ${kind}.`);
    columns[name] = column;
  }
  return columns;
}

/**
 * Turns one array per field back into rows.
 * @throws RangeError for a missing field, lists of different lengths, or a value of the wrong kind
 */
function fromColumns<Row>(columns: unknown, fields: Fields): Row[] {
  if (typeof columns !== 'object' || columns === null) throw new RangeError('A list is missing.');
  const names = Object.keys(fields);
  const lists = names.map(name => {
    const kind = fields[name] as FieldKind;
    const column: unknown = (columns as Record<string, unknown>)[name];
    if (!Array.isArray(column) || !column.every(FIELD_CHECKS[kind])) {
      throw new RangeError(`"${name}" is no list of ${kind}.`);
    }
    return column as readonly unknown[];
  });
  const count = lists[0]?.length ?? 0;
  if (lists.some(({ length }) => length !== count)) throw new RangeError('Lists differ in length.');
  const rows: Row[] = [];
  for (let position = 0; position < count; position += 1) {
    const row: Record<string, unknown> = {};
    for (let field = 0; field < names.length; field += 1) row[names[field]!] = lists[field]![position];
    rows.push(row as Row);
  }
  return rows;
}
