import {
  BUDGET_PAUSE,
  DATABASE_PAUSE,
  isSourceScope,
  modelScope,
  OPERATOR_PAUSE,
  ORPHANS_CONFIRMED,
  PIPELINE_SCOPE,
} from '../../core/control.ts';
import { FreshetError, UNKNOWN_SCHEMA } from '../../core/errors.ts';
import type { PauseReason } from '../../ports/control-store.ts';
import type { EventSource } from '../../ports/queues.ts';
import { describeFailure } from '../failures.ts';
import type { GuardPorts, GuardReport, GuardRequest, GuardState } from './guard-ports.ts';
import { probeDatabase, probeModels } from './probes.ts';

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
  const found = await probeReasons(ports, remainingMs);
  const reasons = typeof found === 'string' ? undefined : found;
  const closings = findClosings(ports, reasons);
  const aligned = await alignEventSources(ports, closings.mappingIds);
  ports.metrics.count('DatabaseUnreachable', found === 'no-answer' ? 1 : 0);
  ports.metrics.count('UnknownSchema', found === 'unknown-schema' ? 1 : 0);
  if (reasons !== undefined) emitPauses(ports, reasons);
  return {
    databaseAnswers: reasons !== undefined,
    pausedModels: closings.models,
    reasons: reasons ?? [],
    ...aligned,
  };
}

const REASON = /^[a-z][a-z0-9_:-]{0,63}$/;

/**
 * Parses what a schedule, an alarm or an operator sends to `guard`.
 * An empty request is the schedule's. An alarm of CloudWatch says nothing but that it is time to
 * look. A pause that was mistyped must not look like a pause that holds.
 * @throws FreshetError with code `bad_request`.
 */
export function parseGuardRequest(event: unknown, aliases: readonly string[]): GuardRequest {
  const request = event ?? {};
  if (typeof request !== 'object') throw badRequest('is no object');
  if (Object.keys(request).length === 0) return { action: 'check' };
  const { action, scope, reason, source, ...others } = request as Record<string, unknown>;
  if (source === 'aws.cloudwatch' && action === undefined) return { action: 'check' };
  if (source !== undefined || Object.keys(others).length > 0) throw badRequest('has a key that is not known');
  if (action === 'check') {
    if (scope === undefined && reason === undefined) return { action };
    throw badRequest('has scope or reason, which belong to pause and resume');
  }
  if (action !== 'pause' && action !== 'resume') throw badRequest('has no known action');
  if (typeof scope !== 'string' || !isScope(scope, aliases)) throw badRequest('has no known scope');
  if (typeof reason !== 'string' || !REASON.test(reason)) throw badRequest('has no valid reason');
  return { action, scope, reason };
}

function isScope(scope: string, aliases: readonly string[]): boolean {
  return (
    scope === PIPELINE_SCOPE || isSourceScope(scope) || aliases.some(alias => scope === modelScope(alias))
  );
}

function badRequest(what: string): FreshetError {
  return new FreshetError(
    `The request ${what}. guard takes { "action": "check" } or { "action": "pause" | "resume", ` +
      '"scope": "pipeline" | "model:<alias>" | "source:<name>", "reason": "operator" }.',
    { failureClass: 'unknown', code: 'bad_request' },
  );
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
 * Why the database can be neither read nor written.
 * The functions that read it fail at their start then, so that their messages are kept from them.
 */
type Unusable = 'no-answer' | 'unknown-schema';

/** Probes what a failure paused, and reads the reasons that still hold. */
async function probeReasons(
  ports: GuardPorts,
  remainingMs: () => number,
): Promise<readonly PauseReason[] | Unusable> {
  const found = await readStateTwice(ports);
  if (typeof found === 'string') return found;
  const { state, reasons } = found;
  await probeDatabase(ports, state, reasons);
  await probeModels(ports, state, reasons, remainingMs);
  return readHolding(state).catch(() => reasons);
}

/**
 * Milliseconds between the two looks at a database that does not answer.
 * One failed connection is no outage: the second look decides.
 */
const SECOND_LOOK_MS = 5_000;

/** Opens the state and reads its reasons, twice at most. */
async function readStateTwice(
  ports: GuardPorts,
): Promise<{ state: GuardState; reasons: readonly PauseReason[] } | Unusable> {
  for (let look = 1; ; look += 1) {
    try {
      const state = await ports.openState();
      return { state, reasons: await readHolding(state) };
    } catch (error) {
      const { failureClass, code, message } = describeFailure(error);
      if (code === UNKNOWN_SCHEMA) {
        ports.logger.error('schema-unknown', { failureClass, code, reason: message });
        return 'unknown-schema';
      }
      ports.logger[look === 1 ? 'warn' : 'error']('database-does-not-answer', { failureClass, code, look });
      if (look === 2) return 'no-answer';
      await ports.clock.sleep(SECOND_LOOK_MS);
    }
  }
}

async function readHolding({ control }: GuardState): Promise<PauseReason[]> {
  return (await control.reasons()).filter(({ reason }) => reason !== ORPHANS_CONFIRMED);
}

/**
 * Finds the event sources to close, and the models whose rows are not embedded.
 * What cannot be written must not be bought: without the database both ends close. Any other pause
 * lets `write` empty its queue.
 */
function findClosings(
  { mappings }: GuardPorts,
  reasons: readonly PauseReason[] | undefined,
): { readonly models: string[]; readonly mappingIds: ReadonlySet<string> } {
  const ofPipeline = reasons?.filter(({ scope }) => scope === PIPELINE_SCOPE);
  const models = Object.keys(mappings.embed).filter(
    alias =>
      ofPipeline === undefined ||
      ofPipeline.length > 0 ||
      reasons?.some(({ scope }) => scope === modelScope(alias)),
  );
  const unwritable = ofPipeline === undefined || ofPipeline.some(({ reason }) => reason === DATABASE_PAUSE);
  const ofModels = models.flatMap(alias => mappings.embed[alias] ?? []);
  return { models, mappingIds: new Set([...ofModels, ...(unwritable ? mappings.write : [])]) };
}

type MappingState = 'open' | 'closed' | 'closed-by-hand';

/**
 * Closes the mappings of `closings`, and opens the others as far as we closed them.
 * A mapping that is changing is left to the next run.
 * @throws FreshetError where a mapping could not be brought to its state, after all mappings were
 * tried.
 */
async function alignEventSources(
  ports: GuardPorts,
  closings: ReadonlySet<string>,
): Promise<Pick<GuardReport, 'closed' | 'closedByHand'>> {
  const { embed, write } = ports.mappings;
  const mappingIds = [...Object.values(embed).flat(), ...write];
  const closed: string[] = [];
  const closedByHand: string[] = [];
  let failures = 0;
  for (const mappingId of mappingIds) {
    try {
      const state = await alignMapping(ports, mappingId, closings.has(mappingId));
      if (state === 'closed') closed.push(mappingId);
      if (state === 'closed-by-hand') closedByHand.push(mappingId);
    } catch (error) {
      failures += 1;
      const { failureClass, code } = describeFailure(error);
      ports.logger.error('event-source-not-settled', { mappingId, failureClass, code });
    }
  }
  ports.metrics.count('MappingsClosed', closed.length);
  ports.metrics.count('MappingsDisabledByHand', closedByHand.length);
  if (failures === 0) return { closed, closedByHand };
  throw new FreshetError(
    `${failures} of ${mappingIds.length} event source mappings could not be opened or closed; ` +
      'the log says why.',
    { failureClass: 'transient', code: 'event_sources_not_settled' },
  );
}

async function alignMapping(
  { eventSources, logger }: GuardPorts,
  mappingId: string,
  close: boolean,
): Promise<MappingState> {
  const source = await eventSources.read(mappingId);
  const { state, closedByUs } = source;
  if (state === 'changing') return closedByUs ? 'closed' : 'open';
  if (state === 'closed' && !closedByUs) {
    logger.warn('event-source-closed-by-hand', { mappingId });
    return 'closed-by-hand';
  }
  if (close) {
    if (state === 'open') await change('close', source);
    return 'closed';
  }
  if (state === 'closed' || closedByUs) await change('open', source);
  return 'open';

  /**
   * Closes a mapping again when an overlapping run took its mark away.
   * The other run may have opened the mapping a moment before, and takes our mark for its own
   * leftover. Without the mark nobody would open the mapping again.
   */
  async function keepMark(closed: EventSource): Promise<void> {
    const { closedByUs } = await eventSources.read(closed.mappingId);
    if (!closedByUs) await eventSources.close(closed);
  }

  async function change(action: 'open' | 'close', changed: EventSource): Promise<void> {
    await eventSources[action](changed);
    if (action === 'close') await keepMark(changed);
    logger.warn(action === 'open' ? 'event-source-opened' : 'event-source-closed', { mappingId });
  }
}

/**
 * Counts the pauses by who has to do something about them.
 * A pause that an operator set is meant, and a cap that is reached is counted by itself. Every
 * other pause is somebody's to mend.
 */
function emitPauses({ metrics, mappings, hasCaps }: GuardPorts, reasons: readonly PauseReason[]): void {
  const capped = reasons.filter(({ reason }) => reason === BUDGET_PAUSE);
  const unasked = reasons.filter(({ reason }) => reason !== OPERATOR_PAUSE && reason !== BUDGET_PAUSE);
  const models = Object.keys(mappings.embed).filter(alias =>
    unasked.some(({ scope }) => scope === PIPELINE_SCOPE || scope === modelScope(alias)),
  );
  const sources = new Set(unasked.map(({ scope }) => scope).filter(isSourceScope));
  const everything = reasons.some(
    ({ scope, reason }) => scope === PIPELINE_SCOPE && reason === OPERATOR_PAUSE,
  );
  metrics.count('PausedModels', models.length);
  metrics.count('PausedSources', sources.size);
  metrics.count('OperatorPauses', everything ? 1 : 0);
  if (hasCaps) metrics.count('CapPauses', capped.length);
}
