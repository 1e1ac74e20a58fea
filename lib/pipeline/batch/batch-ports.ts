import type { StoredBatch } from '../../ports/batches.ts';
import type { OpenSpan, TraceContext } from '../../ports/tracer.ts';
import type { EmbedPorts } from '../embed/embed-ports.ts';
import { inSpan, type TracedPorts } from '../spans.ts';

/** What a look at the batches of a model works with: what `embed` has. */
export type BatchPorts = Pick<
  EmbedPorts,
  | 'batches'
  | 'spaces'
  | 'embedding'
  | 'control'
  | 'providers'
  | 'tokenizer'
  | 'clock'
  | 'randomness'
  | 'metrics'
  | 'logger'
  | 'limits'
  | 'observer'
  | 'tracer'
>;

/** Milliseconds of an invocation that are kept for what follows a call or a part. */
const RESERVE_MS = 10_000;
/** Milliseconds that a call of the batch service may take, where the invocation has them. */
const LONGEST_CALL_MS = 240_000;

/** Whether there is time for another call or another part of a file. */
export function hasTime(remainingMs: () => number): boolean {
  return remainingMs() > 2 * RESERVE_MS;
}

/** Milliseconds that the next call of the batch service may take. */
export function callDeadlineMs(remainingMs: () => number): number {
  return Math.max(1_000, Math.min(LONGEST_CALL_MS, remainingMs() - RESERVE_MS));
}

/**
 * The trace of a batch: submission, looks and results are hours and processes apart.
 * It is made of the batch's id, as nothing else of a trace is stored with it, and is always taken
 * where the process samples by the parent.
 */
function traceOfBatch(batchId: string): TraceContext {
  const id = batchId.replaceAll('-', '');
  return `00-${id}-${id.slice(-16)}-01`;
}

/** Runs work on a batch within a span of the batch's trace, linked to what asked for it. */
export function inBatchSpan<Result>(
  ports: TracedPorts,
  step: 'submit' | 'follow',
  { batchId, modelAlias, texts }: Pick<StoredBatch, 'batchId' | 'modelAlias' | 'texts'>,
  work: (span: OpenSpan) => Promise<Result>,
): Promise<Result> {
  const start = {
    name: `${step} batch ${modelAlias}`,
    kind: step === 'submit' ? 'producer' : 'consumer',
    parent: traceOfBatch(batchId),
    attributes: { 'freshet.batch.id': batchId, 'freshet.model': modelAlias, 'freshet.texts': texts },
  } as const;
  return inSpan(ports, start, work);
}

/** Runs one call of the batch service within a span; `step` is a word of ours. */
export function inBatchCall<Result>(
  ports: TracedPorts,
  step: string,
  call: () => Promise<Result>,
): Promise<Result> {
  return inSpan(ports, { name: `batch ${step}`, kind: 'client' }, call);
}
