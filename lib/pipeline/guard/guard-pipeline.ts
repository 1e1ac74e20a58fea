import { ORPHANS_CONFIRMED } from '../../core/model/confirmation.ts';
import { OPERATOR_PAUSE } from '../../core/model/operator-pause.ts';
import type { PauseReason } from '../../ports/control-store.ts';
import { describeFailure } from '../describe-failure.ts';
import type { GuardPorts, GuardReport, GuardRequest, GuardState } from './guard-ports.ts';
import { probeDatabase } from './probe-database.ts';
import { probeModels } from './probe-models.ts';
import { settleEventSources } from './settle-event-sources.ts';

/**
 * Milliseconds between the two looks at a database that does not answer.
 * One failed connection is no outage: the second look decides.
 */
const SECOND_LOOK_MS = 5_000;

/**
 * Brings the event sources to the state that the pause reasons ask for.
 * Before that, the guard tries whether the reasons that a failure set still hold. The guard reads
 * the state anew each time and remembers nothing. The next run thereby mends a run that was missed,
 * repeated or cut short.
 */
export async function guardPipeline(
  ports: GuardPorts,
  request: GuardRequest,
  remainingMs: () => number,
): Promise<GuardReport> {
  if (request.action !== 'check') await changeReason(ports, request);
  const reasons = await readReasons(ports, remainingMs);
  const closings = findClosings(ports, reasons);
  const settled = await settleEventSources(ports, closings.mappingIds);
  ports.metrics.count('DatabaseUnreachable', reasons === undefined ? 1 : 0);
  if (reasons !== undefined) measurePauses(ports, reasons);
  return {
    databaseAnswers: reasons !== undefined,
    pausedModels: closings.models,
    reasons: reasons ?? [],
    ...settled,
  };
}

async function changeReason(
  { openState, logger }: GuardPorts,
  request: Exclude<GuardRequest, { action: 'check' }>,
): Promise<void> {
  const { action, scope, reason } = request;
  const { control } = await openState();
  if (action === 'pause') await control.pause(scope, reason, 'asked for through guard');
  else await control.resume(scope, reason);
  logger.warn(action === 'pause' ? 'paused-on-request' : 'resumed-on-request', { scope, reason });
}

/**
 * The reasons that hold after the probes; undefined: the database does not answer.
 * A database that does not answer can be neither read nor written.
 */
async function readReasons(
  ports: GuardPorts,
  remainingMs: () => number,
): Promise<readonly PauseReason[] | undefined> {
  const found = await lookTwice(ports);
  if (found === undefined) return undefined;
  const { state, reasons } = found;
  await probeDatabase(ports, state, reasons);
  await probeModels(ports, state, reasons, remainingMs);
  return readHolding(state).catch(() => reasons);
}

/**
 * Counts the pauses by who has to do something about them.
 * A pause that an operator set is meant. Every other pause is somebody's to mend.
 */
function measurePauses({ metrics, mappings }: GuardPorts, reasons: readonly PauseReason[]): void {
  const unasked = reasons.filter(({ reason }) => reason !== OPERATOR_PAUSE);
  const models = Object.keys(mappings.embed).filter(alias =>
    unasked.some(({ scope }) => scope === 'pipeline' || scope === `model:${alias}`),
  );
  const sources = new Set(unasked.map(({ scope }) => scope).filter(scope => scope.startsWith('source:')));
  const everything = reasons.some(({ scope, reason }) => scope === 'pipeline' && reason === OPERATOR_PAUSE);
  metrics.count('PausedModels', models.length);
  metrics.count('PausedSources', sources.size);
  metrics.count('OperatorPauses', everything ? 1 : 0);
}

async function lookTwice(
  ports: GuardPorts,
): Promise<{ state: GuardState; reasons: readonly PauseReason[] } | undefined> {
  for (let look = 1; ; look += 1) {
    try {
      const state = await ports.openState();
      return { state, reasons: await readHolding(state) };
    } catch (error) {
      const { failureClass, code } = describeFailure(error);
      ports.logger[look === 1 ? 'warn' : 'error']('database-does-not-answer', { failureClass, code, look });
      if (look === 2) return undefined;
      await ports.clock.sleep(SECOND_LOOK_MS);
    }
  }
}

async function readHolding({ control }: GuardState): Promise<PauseReason[]> {
  return (await control.reasons()).filter(({ reason }) => reason !== ORPHANS_CONFIRMED);
}

/**
 * The event sources to close, and the models whose rows are not embedded.
 * What cannot be written must not be bought: without the database both ends close. Any other pause
 * lets `write` empty its queue.
 */
function findClosings(
  { mappings }: GuardPorts,
  reasons: readonly PauseReason[] | undefined,
): { readonly models: string[]; readonly mappingIds: ReadonlySet<string> } {
  const ofPipeline = reasons?.filter(({ scope }) => scope === 'pipeline');
  const models = Object.keys(mappings.embed).filter(
    alias =>
      ofPipeline === undefined ||
      ofPipeline.length > 0 ||
      reasons?.some(({ scope }) => scope === `model:${alias}`),
  );
  const unwritable = ofPipeline === undefined || ofPipeline.some(({ reason }) => reason === 'database');
  const ofModels = models.flatMap(alias => mappings.embed[alias] ?? []);
  return { models, mappingIds: new Set([...ofModels, ...(unwritable ? mappings.write : [])]) };
}
