import {
  type BatchTerms,
  batchTermsOf,
  CLAIM_SECONDS,
  COLLECT_SECONDS,
  cutBatch,
  HOLD_SECONDS,
  LOOK_SECONDS,
} from '../../core/batches.ts';
import type { FreshetError } from '../../core/errors.ts';
import type { Space } from '../../core/model.ts';
import type { BatchProvider, BatchStore, BatchText, CollectedText } from '../../ports/batches.ts';
import { decideRow } from '../embed/plan-rows.ts';
import { toFreshetError } from '../failures.ts';
import { findPauseReasons, pauseModel } from '../pauses.ts';
import { type BatchPorts, callDeadlineMs, hasTime, inBatchCall, inBatchSpan } from './batch-ports.ts';

/** What stands between a refused batch and the next try concerns every call of the model too. */
const STOPS_MODEL =
  /^(unauthorized|forbidden|malformed_key|payment_required|insufficient_quota|billing_|credit_)/;

/** Rows of one reading while a batch is filled. */
const ROWS_PER_READING = 500;

interface Submitting {
  readonly ports: BatchPorts;
  readonly store: BatchStore;
  readonly provider: BatchProvider;
  readonly space: Space;
  readonly terms: BatchTerms;
  readonly remainingMs: () => number;
}

/**
 * Submits what was collected for a model, as much as may be enqueued.
 * A batch is submitted when it is full, when its oldest text has waited `COLLECT_SECONDS`, or at
 * once with `flush`. Texts that have waited beyond the deadline are left to calls.
 */
export async function submitCollected(
  ports: BatchPorts,
  store: BatchStore,
  provider: BatchProvider,
  modelAlias: string,
  remainingMs: () => number,
  flush: boolean,
): Promise<{ readonly submitted: number; readonly freed: number }> {
  let submitted = 0;
  let freed = 0;
  const collected = await store.readCollected(modelAlias);
  let { enqueuedTokens } = collected;
  for (const { spaceId, texts, oldestAgeSeconds } of collected.spaces) {
    const space = await ports.spaces.find(spaceId);
    const terms = space && batchTermsOf(space.model);
    if (!space || !terms) continue;
    if (oldestAgeSeconds >= terms.deadlineSeconds) {
      const late = await store.releaseCollected(space, terms.deadlineSeconds);
      ports.metrics.count('BatchTextsLeft', late);
      freed += late;
    }
    if (collected.isHeld || (await findPauseReasons(ports.control, space)).length > 0) continue;
    const maxTexts = Math.min(terms.maxTexts, provider.limits.maxTexts);
    const submitting = { ports, store, provider, space, terms: { ...terms, maxTexts }, remainingMs };
    let left = texts;
    const isDue = flush || oldestAgeSeconds >= COLLECT_SECONDS;
    while ((isDue || left >= maxTexts) && left > 0 && hasTime(remainingMs)) {
      const batch = await submitOne(submitting, enqueuedTokens);
      if (batch === undefined) break;
      left -= batch.considered;
      enqueuedTokens += batch.tokens;
      if (batch.tokens > 0) submitted += 1;
    }
  }
  return { submitted, freed };
}

interface Tried {
  /** Collected texts that were taken or dropped. */
  readonly considered: number;
  /** Tokens that are enqueued now; 0: nothing was submitted. */
  readonly tokens: number;
}

/** Submits one batch; undefined: no other one can be submitted now. */
async function submitOne(submitting: Submitting, enqueuedTokens: number): Promise<Tried | undefined> {
  const { ports, store, space, terms } = submitting;
  const candidates = await store.listCollected(space, terms.maxTexts);
  const chosen = candidates.slice(0, cutBatch(candidates, terms, enqueuedTokens));
  if (chosen.length === 0) return undefined;
  const { texts, gone } = await readTexts(submitting, chosen);
  await store.dropCollected(space, gone);
  if (texts.length === 0) return { considered: gone.length, tokens: 0 };
  const batchId = ports.randomness.identifier();
  const { spaceId, model } = space;
  const { usdPerMillionTokens } = terms;
  const { alias: modelAlias, dimensions, normalized } = model;
  const taken = await store.beginBatch(
    { batchId, spaceId, modelAlias, usdPerMillionTokens, dimensions, normalized },
    texts.map(({ contentHash }) => contentHash),
    CLAIM_SECONDS,
  );
  if (taken.size === 0) return undefined;
  const tokens = chosen.reduce((sum, text) => sum + (taken.has(text.contentHash) ? text.tokens : 0), 0);
  const sent = texts.filter(({ contentHash }) => taken.has(contentHash));
  const described = { batchId, modelAlias, texts: sent.length };
  const isSubmitted = await inBatchSpan(ports, 'submit', described, async span => {
    span.note({ 'freshet.tokens.estimated': tokens });
    return send(submitting, batchId, sent, tokens);
  });
  return isSubmitted ? { considered: gone.length + taken.size, tokens } : undefined;
}

/**
 * Reads the words of texts again: nothing of ours keeps them.
 * A text is gone where its row has another text by now, and where a vector of it is there already.
 */
async function readTexts(
  { ports, provider, space }: Submitting,
  chosen: readonly CollectedText[],
): Promise<{ readonly texts: readonly BatchText[]; readonly gone: readonly string[] }> {
  const texts: BatchText[] = [];
  const gone: string[] = [];
  let bytes = 0;
  const limits = {
    tokenization: ports.providers(space.model.alias).limits.tokenization,
    maxCharacters: space.source.maxCharacters ?? ports.limits.maxCharacters,
  };
  for (let start = 0; start < chosen.length; start += ROWS_PER_READING) {
    const part = chosen.slice(start, start + ROWS_PER_READING);
    const hashes = part.map(({ contentHash }) => contentHash);
    const known = await ports.embedding.lookUpHashes(space, hashes);
    const ids = [...new Set(part.map(({ itemId }) => itemId))];
    const readings = await ports.embedding.readRows(space, ids, ports.limits.maxBytesPerColumn);
    const prepared = new Map<string, string>();
    for (const reading of readings) {
      if (reading.unreadable !== undefined) continue;
      const decision = await decideRow(space, reading, limits, ports.tokenizer);
      if (decision.kind === 'text') prepared.set(decision.prepared.contentHash, decision.prepared.text);
    }
    for (const { contentHash } of part) {
      const text = prepared.get(contentHash);
      if (text === undefined || known.embedded.has(contentHash) || known.refused.has(contentHash)) {
        gone.push(contentHash);
        continue;
      }
      const whole = space.model.documentPrefix + text;
      bytes += Buffer.byteLength(whole);
      if (bytes > provider.limits.maxBytes && texts.length > 0) return { texts, gone };
      texts.push({ contentHash, text: whole });
    }
  }
  return { texts, gone };
}

/**
 * Sends a batch that is stored: grant, upload, creation. Each is noted before the next one begins.
 * Where the provider refuses, the texts are collected again, and the model is held for a while.
 * Where nobody knows whether it created the batch, the batch is looked for later.
 */
async function send(
  { ports, store, provider, space, terms, remainingMs }: Submitting,
  batchId: string,
  texts: readonly BatchText[],
  tokens: number,
): Promise<boolean> {
  const { alias } = space.model;
  const takeBack = async (outcome: string, fileIds: readonly string[]) => {
    await store.settleBatch(batchId, { outcome, rest: 'collected', fileIds });
    return false;
  };
  const refusal = await ports.embedding.grantCall(space, {
    callId: batchId,
    spaceId: space.spaceId,
    modelAlias: alias,
    estimatedTokens: tokens,
    estimatedCostUsd: (tokens * terms.usdPerMillionTokens) / 1e6,
  });
  if (refusal) {
    ports.metrics.count('RefusedGrants', 1);
    return takeBack('paused', []);
  }
  const hold = async (error: unknown): Promise<FreshetError> => {
    const failure = toFreshetError(error);
    ports.metrics.count('BatchFailures', 1);
    ports.logger.error('batch-not-submitted', { batchId, code: failure.code, texts: texts.length });
    if (failure.failureClass === 'stop' && STOPS_MODEL.test(failure.code))
      await pauseModel(ports, alias, failure);
    const seconds = Math.max(HOLD_SECONDS, (failure.retryAfterMs ?? 0) / 1000);
    await store.holdModel(alias, seconds, failure.code);
    return failure;
  };
  let fileId: string;
  try {
    fileId = await inBatchCall(ports, 'upload', () =>
      provider.upload(batchId, texts, callDeadlineMs(remainingMs)),
    );
  } catch (error) {
    const { code } = await hold(error);
    await store.noteFile(batchId, null);
    return takeBack(`refused:${code}`, []);
  }
  if (!(await store.noteFile(batchId, fileId))) {
    // The process was frozen for so long that the batch was given up: others have its texts.
    ports.logger.warn('batch-overtaken', { batchId, texts: texts.length });
    return false;
  }
  let providerBatchId: string;
  try {
    providerBatchId = await inBatchCall(ports, 'create', () =>
      provider.create(batchId, fileId, callDeadlineMs(remainingMs)),
    );
  } catch (error) {
    const failure = await hold(error);
    if (isRefusal(failure)) return takeBack(`refused:${failure.code}`, [fileId]);
    return true;
  }
  await store.noteSubmitted(batchId, providerBatchId);
  await store.postponeLook(batchId, LOOK_SECONDS);
  ports.metrics.count('BatchesSubmitted', 1);
  ports.logger.info('batch-submitted', { batchId, texts: texts.length, tokens });
  return true;
}

/** Whether the provider said no: it created nothing for certain. */
function isRefusal({ failureClass, code }: FreshetError): boolean {
  if (failureClass === 'throttled') return code === 'rate_limit';
  return failureClass !== 'transient' && failureClass !== 'unknown';
}
