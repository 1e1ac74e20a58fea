import type { CopyEntry, LedgerEntry, OutcomeEntry, TouchEntry, Verdict } from '../model/result-object.ts';
import type { FieldKind } from './field-checks.ts';

/**
 * A result object's bytes: `FRESHET1`, uint32 (big-endian) length of the header, the header, the vectors. The header is JSON, its lists turned
 * into one array per field, which is about a third shorter and faster to read than objects.
 */
export const MAGIC = Buffer.from('FRESHET1', 'latin1');
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
