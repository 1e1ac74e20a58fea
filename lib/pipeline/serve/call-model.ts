import { FreshetError } from '../../core/errors.ts';
import { type InputRole, type ModelDefinition, modelForRole } from '../../core/model.ts';
import { rejectOtherModel, UNKNOWN_WORDS_CODE, validateReply } from '../../core/reply.ts';
import { fullJitterMs } from '../../core/retry.ts';
import type { ServiceObserver } from '../../ports/embedding-service.ts';
import type { Clock, Randomness } from '../../ports/process.ts';
import type { EmbeddingProvider } from '../../ports/provider.ts';
import { isUnbilled, toFreshetError } from '../failures.ts';
import type { QueryRecorder } from './record-queries.ts';
import type { CachedVector } from './vector-cache.ts';
import type { SizedText } from './waiting-texts.ts';

/**
 * Embeds texts in one call, and gives a vector or a failure for each.
 * @throws FreshetError where the call fails as a whole
 */
export type EmbedTexts = (
  texts: readonly SizedText[],
  role: InputRole,
  signal: AbortSignal,
) => Promise<readonly (CachedVector | FreshetError)[]>;

interface CallPorts {
  readonly provider: EmbeddingProvider;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly observer: Pick<ServiceObserver, 'billed'>;
  /** Notes what calls cost. */
  readonly queries: Pick<QueryRecorder, 'called'>;
}

/** Tries after the first of a model that says nothing else. */
const DEFAULT_RETRIES = 2;
/** A client waits meanwhile: a longer wait than this helps nobody. */
const LONGEST_WAIT_MS = 2000;

/**
 * Makes the calls of one model for the service.
 * Only what may pass by itself is tried again. A provider that asks for patience is not: the client
 * is told to wait.
 */
export function createModelCaller(ports: CallPorts, model: ModelDefinition, deadlineMs: number): EmbedTexts {
  const retries = model.maxRetries ?? DEFAULT_RETRIES;
  return async (texts, role, signal) => {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await callOnce(ports, modelForRole(model, role), { texts, role, signal, deadlineMs });
      } catch (error) {
        const failure = toFreshetError(error);
        if (failure.failureClass !== 'transient' || attempt >= retries || signal.aborted) throw failure;
        await ports.clock.sleep(
          fullJitterMs(attempt, ports.randomness.fraction(), 200, LONGEST_WAIT_MS),
          signal,
        );
      }
    }
  };
}

async function callOnce(
  ports: CallPorts,
  model: ModelDefinition,
  call: {
    readonly texts: readonly SizedText[];
    readonly role: InputRole;
    readonly signal: AbortSignal;
    readonly deadlineMs: number;
  },
): Promise<readonly (CachedVector | FreshetError)[]> {
  const { texts, role, signal, deadlineMs } = call;
  const estimated = texts.reduce((sum, { tokens }) => sum + tokens, 0);
  const billed = (tokens: number) => {
    const costUsd = (tokens * model.usdPerMillionTokens) / 1e6;
    ports.observer.billed(model.alias, { tokens, costUsd });
    ports.queries.called({ modelAlias: model.alias, texts: texts.length, tokens, costUsd });
  };
  const request = { texts: texts.map(({ text }) => text), role, signal, deadlineMs };
  const reply = await ports.provider.embed(request).catch((error: unknown) => {
    if (!isUnbilled(toFreshetError(error))) billed(estimated);
    throw error;
  });
  billed(reply.tokens ?? estimated);
  rejectOtherModel(reply, model.modelId);
  const { dimensions, normalized } = model;
  const { vectors, excluded } = validateReply(reply, { count: texts.length, dimensions, normalized });
  const share = (reply.tokens ?? estimated) / Math.max(1, estimated);
  return vectors.map((bytes, position) =>
    bytes === null
      ? failureOfText(excluded.has(position), reply.requestId)
      : { bytes, tokens: Math.max(1, Math.round(texts[position]!.tokens * share)) },
  );
}

/** The failure of one text alone; its neighbours have their vectors. */
function failureOfText(isExcluded: boolean, requestId: string | undefined): FreshetError {
  if (isExcluded)
    return new FreshetError('The model knows no word of the text.', {
      failureClass: 'item',
      code: UNKNOWN_WORDS_CODE,
    });
  return new FreshetError('The provider answered a vector that is of no use.', {
    failureClass: 'transient',
    code: 'invalid_reply',
    requestId,
  });
}
