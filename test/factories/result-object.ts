import { randomUUID } from 'node:crypto';
import type { Outcome, Space } from '../../lib/core/model.ts';
import type {
  CopyEntry,
  LedgerEntry,
  OutcomeEntry,
  ResultObject,
  RowReading,
  TouchEntry,
} from '../../lib/core/result-object.ts';
import { encodeVectorArray } from '../../lib/core/vectors.ts';

/** An outcome with the vector that it carries. */
export interface OutcomeWithVector extends OutcomeEntry {
  readonly vector: readonly number[] | null;
}

/** The hash is 32 times the one byte, in hexadecimal. */
export function buildHash(byte: number): string {
  return Buffer.alloc(32, byte).toString('hex');
}

export function buildCall(changes: Partial<LedgerEntry> = {}): LedgerEntry {
  return {
    callId: randomUUID(),
    modelAlias: 'small',
    lane: 'fresh',
    items: 1,
    uniqueTexts: 1,
    tokens: 5,
    costUsd: 0.25,
    latencyMs: 12.5,
    outcome: 'ok',
    requestId: null,
    ...changes,
  };
}

export function embedded(
  reading: RowReading,
  vector: readonly number[],
  hash = buildHash(1),
): OutcomeWithVector {
  return {
    ...pickReading(reading),
    outcome: 'embedded',
    contentHash: hash,
    textLength: 10,
    keptLength: 9,
    tokens: 3,
    vector,
  };
}

export function notEmbedded(
  reading: RowReading,
  outcome: Outcome,
  hash: string | null = null,
): OutcomeWithVector {
  return { ...embedded(reading, []), outcome, contentHash: hash, vector: null };
}

export function copyOf(reading: RowReading, contentHash: string): CopyEntry {
  return { ...pickReading(reading), contentHash, textLength: 8, keptLength: 7 };
}

export function touchOf(reading: RowReading, contentHash: string): TouchEntry {
  return { ...pickReading(reading), contentHash };
}

export function buildResult(
  space: Space,
  dispatchId: string,
  parts: Partial<Omit<ResultObject, 'outcomes'>> & { readonly outcomes?: readonly OutcomeWithVector[] } = {},
): ResultObject {
  const { dimensions } = space.model;
  const outcomes = parts.outcomes ?? [];
  return {
    spaceId: space.spaceId,
    dispatchId,
    lane: 'fresh',
    runId: null,
    dimensions,
    calls: [],
    copies: [],
    touches: [],
    verdicts: [],
    ...parts,
    outcomes: outcomes.map(({ vector: _, ...entry }) => entry),
    vectors: encodeVectorArray(
      outcomes.map(({ vector }) => (vector === null ? null : Buffer.from(Float32Array.from(vector).buffer))),
      dimensions,
    ),
  };
}

function pickReading({ id, version, xid, readAt }: RowReading): RowReading {
  return { id, version, xid, readAt };
}
