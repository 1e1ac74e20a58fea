import type { CopyEntry, LedgerEntry, OutcomeEntry, TouchEntry, Verdict } from '../model/result-object.ts';
import type { FieldKind } from './field-checks.ts';

/**
 * The first bytes of a result object.
 * The layout is: `FRESHET1`, the header's length as uint32 (big-endian), the header, the vectors.
 * The header is JSON. Its lists are turned into one array per field, which is about a third shorter
 * than objects and faster to read.
 */
export const MAGIC = Buffer.from('FRESHET1', 'latin1');
/** Bytes before the header: `FRESHET1` and the header's length. */
export const PREFIX_BYTES = MAGIC.length + 4;

type Fields<T> = { readonly [Key in keyof T]-?: FieldKind };

const READING = { id: 'text', version: 'textOrNull', xid: 'text', readAt: 'text' } as const;

export const OUTCOME_FIELDS: Fields<OutcomeEntry> = {
  ...READING,
  outcome: 'outcome',
  contentHash: 'textOrNull',
  textLength: 'count',
  keptLength: 'count',
  tokens: 'count',
};

export const COPY_FIELDS: Fields<CopyEntry> = {
  ...READING,
  contentHash: 'text',
  textLength: 'count',
  keptLength: 'count',
};

export const TOUCH_FIELDS: Fields<TouchEntry> = { ...READING, contentHash: 'text' };

export const VERDICT_FIELDS: Fields<Verdict> = {
  contentHash: 'text',
  failureClass: 'itemClass',
  code: 'text',
};

export const CALL_FIELDS: Fields<LedgerEntry> = {
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

export const SCALAR_FIELDS = {
  spaceId: 'count',
  dispatchId: 'text',
  lane: 'lane',
  runId: 'countOrNull',
  dimensions: 'count',
} as const satisfies Readonly<Record<string, FieldKind>>;
