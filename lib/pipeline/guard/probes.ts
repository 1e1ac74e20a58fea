import {
  DATABASE_PAUSE,
  isProviderPause,
  modelScope,
  PIPELINE_SCOPE,
  providerPause,
} from '../../core/control.ts';
import type { FreshetError } from '../../core/errors.ts';
import type { Space } from '../../core/model.ts';
import type { ResultObject } from '../../core/result-object.ts';
import { encodeVectorArray } from '../../core/vectors.ts';
import type { PauseReason } from '../../ports/control-store.ts';
import { type CallResult, callProvider, type MadeCall } from '../embed/call-provider.ts';
import { describeFailure, MAX_PROBE_MS, PROBE_TEXT } from '../failures.ts';
import type { GuardPorts, GuardState } from './guard-ports.ts';

/** Seconds between two probes of what a failure paused. */
const INTERVAL_SECONDS = 60;

/**
 * Lifts the pause of the database once the database takes writes again.
 * `write` set the reason and is closed, so that nobody else would find out. What shows that writes
 * are taken are the claim, which is a write, the rights on every table of ours, and new rows that
 * are taken back. Where only a real result meets the fault, `write` sets the reason again.
 */
export async function probeDatabase(
  { logger, metrics }: GuardPorts,
  { control, probes, requireWrites }: GuardState,
  reasons: readonly PauseReason[],
): Promise<void> {
  const pause = reasons.find(({ scope, reason }) => scope === PIPELINE_SCOPE && reason === DATABASE_PAUSE);
  if (pause === undefined) return;
  try {
    if (!(await probes.claim(pause.scope, pause.reason, INTERVAL_SECONDS))) return;
    metrics.count('Probes', 1);
    await requireWrites();
    await control.resume(pause.scope, pause.reason);
    logger.info('database-takes-writes-again');
  } catch (error) {
    const { failureClass, code } = describeFailure(error);
    logger.warn('database-probe-failed', { failureClass, code });
  }
}

/**
 * Seconds between two probes of a model that was stopped over money or a quota.
 * Somebody has to pay or to raise a limit, which does not happen by the minute.
 */
const BILLING_INTERVAL_SECONDS = 900;
const BILLING = /quota|credit|billing|payment|_limit_(exceeded|reached)/;

/** Milliseconds kept for the event sources after the probes. */
const RESERVE_MS = 15_000;

/**
 * Probes the models that their provider stopped, all at once.
 * Each model is probed at most once in its interval. A model that somebody else paused is left
 * alone.
 */
export async function probeModels(
  ports: GuardPorts,
  state: GuardState,
  reasons: readonly PauseReason[],
  remainingMs: () => number,
): Promise<void> {
  if (reasons.some(({ scope }) => scope === PIPELINE_SCOPE)) return;
  const aliases = Object.keys(ports.mappings.embed);
  await Promise.all(
    aliases.map(async alias => {
      const own = reasons.filter(({ scope }) => scope === modelScope(alias));
      if (own.length === 0 || !own.every(({ reason }) => isProviderPause(reason))) return;
      try {
        await probeModel(ports, state, alias, own, remainingMs);
      } catch (error) {
        const { failureClass, code } = describeFailure(error);
        ports.logger.warn('probe-not-made', { model: alias, failureClass, code });
      }
    }),
  );
}

async function probeModel(
  ports: GuardPorts,
  state: GuardState,
  alias: string,
  reasons: readonly PauseReason[],
  remainingMs: () => number,
): Promise<void> {
  const deadlineMs = Math.min(MAX_PROBE_MS, remainingMs() - RESERVE_MS);
  const space = (await state.spaces.list()).find(({ model }) => model.alias === alias);
  const latest = reasons.at(-1);
  if (latest === undefined || space === undefined || deadlineMs <= 0) return;
  const interval = reasons.some(({ reason }) => BILLING.test(reason))
    ? BILLING_INTERVAL_SECONDS
    : INTERVAL_SECONDS;
  if (!(await state.probes.claim(latest.scope, latest.reason, interval))) return;
  ports.metrics.count('Probes', 1);
  const result = await callProvider(
    { ...ports, embedding: state.embedding },
    { space, lane: 'fresh', texts: [PROBE_TEXT], rows: 0, deadlineMs },
  );
  if (result.call !== undefined) await writeProbeCall(ports, state, space, result.call);
  await updateReasons(ports, state, reasons, alias, result);
}

/**
 * Updates the pause reasons of a model by the answer to its probe.
 * A vector clears the model's reasons. A refusal for another reason takes the place of the old
 * reasons.
 */
async function updateReasons(
  { logger }: GuardPorts,
  { control }: GuardState,
  reasons: readonly PauseReason[],
  alias: string,
  { vectors, failure }: CallResult,
): Promise<void> {
  const isAnswering = vectors?.[0] != null;
  const changed = failure !== undefined && isOtherStop(failure, reasons);
  logger[isAnswering ? 'info' : 'warn'](isAnswering ? 'model-answers-again' : 'probe-failed', {
    model: alias,
    code: failure?.code ?? (isAnswering ? undefined : 'invalid_vector'),
  });
  if (changed) await control.pause(modelScope(alias), providerPause(failure.code), failure.message);
  if (!isAnswering && !changed) return;
  for (const { scope, reason } of reasons) await control.resume(scope, reason);
}

function isOtherStop({ failureClass, code }: FreshetError, reasons: readonly PauseReason[]): boolean {
  return failureClass === 'stop' && reasons.every(({ reason }) => reason !== providerPause(code));
}

/**
 * Writes a probe that may be billed into the ledger, like every call.
 * A probe that bought nothing for certain loses its grant.
 */
async function writeProbeCall(
  ports: GuardPorts,
  { embedding, outcomes }: GuardState,
  space: Space,
  { entry, maybeBilled }: MadeCall,
): Promise<void> {
  if (!maybeBilled) return embedding.revokeGrant(entry.callId);
  const { dimensions } = space.model;
  const result: ResultObject = {
    spaceId: space.spaceId,
    dispatchId: ports.randomness.identifier(),
    lane: 'fresh',
    runId: null,
    dimensions,
    calls: [entry],
    outcomes: [],
    copies: [],
    touches: [],
    verdicts: [],
    vectors: encodeVectorArray([], dimensions),
  };
  await outcomes.writeResult(space, result);
}
