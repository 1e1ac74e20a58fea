import { batchTermsOf } from '../../core/batches.ts';
import { isProviderPause, modelScope, sourceScope } from '../../core/control.ts';
import { SOURCE_FAULT_PREFIX } from '../../core/errors.ts';
import { writeMessage } from '../../core/messages.ts';
import type { Space } from '../../core/model.ts';
import type { ControlStore, PauseReason } from '../../ports/control-store.ts';
import type { SourceFault } from '../../ports/detection-store.ts';
import { describeFailure } from '../failures.ts';
import { findPauseReasons } from '../pauses.ts';
import { inSpan } from '../spans.ts';
import {
  type DetectPorts,
  type DetectReport,
  type DetectRequest,
  NOTHING_DETECTED,
  type PassResult,
  type SpaceReport,
} from './detect-ports.ts';
import { divideTime, type FirstLook, leaseWhatIsLeft, orderByTurn, shareOut } from './fair-turns.ts';
import { type Look, leaseAsWorkDrains } from './lease-as-work-drains.ts';
import { detectChangedRows, reconcileSpace } from './passes.ts';
import { emitSpending } from './spending.ts';
import { emitAfterFailure, emitStaleness, emitUnlooked } from './staleness.ts';

/**
 * Runs one tick of `detect` over every space that was asked for.
 * A space that fails is reported and does not stop the others, nor does one that has much to do.
 * @throws FreshetError for what concerns no space in particular: the registry, and the leases of
 * dead runs.
 */
export async function detectStaleRows(
  ports: DetectPorts,
  request: DetectRequest,
  remainingMs: () => number,
): Promise<DetectReport> {
  const lost = await ports.detection.settleLostCalls();
  if (lost > 0) ports.logger.warn('lost-calls-settled', { calls: lost });
  const expired = await ports.detection.expireLeasesOfDeadRuns();
  if (expired > 0) ports.logger.info('leases-of-dead-runs-expired', { rows: expired });
  const lifted = await ports.detection.liftBudgetPauses();
  if (lifted > 0) ports.logger.warn('budget-pauses-lifted', { pauses: lifted });
  await emitSpending(ports);
  await ports.sweepDocuments?.();
  const spaces = (await ports.spaces.list()).filter(
    space => request.sources === undefined || request.sources.includes(space.source.name),
  );
  let allowance = request.maxRows ?? Number.POSITIVE_INFINITY;
  const look = async (
    space: Space,
    asked: DetectRequest,
    turns: number,
    rest?: Look['rest'],
  ): Promise<FirstLook> => {
    const walkMs = divideTime(remainingMs, turns);
    const share = shareOut(allowance, turns);
    const found = await traceLook(ports, space, asked, () =>
      detectSpace(ports, space, { ...asked, allowance: share, rest, walkMs }, remainingMs),
    );
    allowance -= found.report.leased;
    return { ...found, share, rest: allowance > 0 ? found.rest : undefined };
  };
  const first: (FirstLook & { readonly space: Space })[] = [];
  for (const space of orderByTurn(ports, request, spaces))
    first.push({ space, ...(await look(space, request, spaces.length - first.length)) });
  // A pass that ends meanwhile is not begun again by the tick that ended it.
  const again = { ...request, ...(request.pass === 'reconcile' && { resume: true }) };
  const goOn = (space: Space, rest: Look['rest'], turns: number) => look(space, again, turns, rest);
  const takeRest = ({ space, rest }: (typeof first)[number]) => goOn(space, rest, 1);
  const looks = await leaseWhatIsLeft(first, takeRest, () => allowance);
  if (request.pass === 'incremental') await askForBatches(ports, spaces);
  return { spaces: await leaseAsWorkDrains(ports, looks, goOn, remainingMs) };
}

/** Traces a look at a space: what it found, and the code of what kept it from looking. */
function traceLook(
  ports: DetectPorts,
  { spaceId, source, model }: Space,
  { pass }: DetectRequest,
  look: () => Promise<Look>,
): Promise<Look> {
  const named = { 'freshet.source': source.name, 'freshet.model': model.alias, 'freshet.space.id': spaceId };
  const attributes = { ...named, 'freshet.pass': pass };
  return inSpan(ports, { name: `detect ${source.name}`, kind: 'internal', attributes }, async span => {
    const found = await look();
    const { leased, sent, fault } = found.report;
    span.note({ 'freshet.rows.leased': leased, 'freshet.rows.sent': sent });
    if (fault !== undefined) span.fail(fault.code);
    return found;
  });
}

/**
 * Asks `embed` to look at the batches of each model that has some to look at.
 * A message that is lost or comes twice harms nothing: the next tick asks again, and whoever looks
 * claims each batch.
 */
async function askForBatches(ports: DetectPorts, spaces: readonly Space[]): Promise<void> {
  const models = new Map(spaces.map(({ model }) => [model.alias, model]));
  for (const [modelAlias, model] of models) {
    if (batchTermsOf(model) === undefined || !(await ports.batches?.isDue(modelAlias))) continue;
    const body = writeMessage({ v: 1, kind: 'batches', modelAlias });
    await ports.queues(modelAlias, 'bulk').send([{ body }]);
  }
}

interface LookRequest extends DetectRequest {
  /** Rows that the tick may still lease. */
  readonly allowance: number;
  /** Where an earlier look of the tick ended; undefined: this is the first. */
  readonly rest: Look['rest'];
  /** The time that this look may walk over the keys. */
  readonly walkMs: () => number;
}

async function detectSpace(
  ports: DetectPorts,
  space: Space,
  { pass, resume = false, maxAttempts, expiredOnly = false, allowance, rest, walkMs }: LookRequest,
  remainingMs: () => number,
): Promise<Look> {
  const named = {
    ...{ spaceId: space.spaceId, source: space.source.name, model: space.model.alias },
    ...(space.fallbackFor && { fallback: true }),
  };
  const end = (found: Partial<SpaceReport>): Look => ({
    report: { ...named, ...NOTHING_DETECTED, ...found },
    rest: undefined,
  });
  // A tick tells once what waits: its first look does.
  const tells = pass === 'incremental' && rest === undefined;
  try {
    if (!(await isNeeded(ports.control, space))) return end({ passBegan: true, passEnded: true });
    const { fault, pausedBy } = await checkSource(ports, space);
    if (fault) {
      ports.metrics.count('SourceFaults', 1);
      ports.logger.error('source-fault', { ...named, code: fault.code });
      if (tells) await emitUnlooked(ports, space, false);
      return end({ fault });
    }
    if (pausedBy.length > 0) {
      for (const { scope, reason } of pausedBy)
        ports.logger.warn('space-paused', { ...named, scope, reason });
      if (tells) await emitUnlooked(ports, space, true);
      return end({ pausedBy });
    }
    const inFlight = await ports.detection.countInFlight(space);
    const capacity = Math.min(ports.limits.maxInFlight - inFlight, allowance);
    const { rest: left, ...result } =
      pass === 'incremental'
        ? await detectChangedRows(
            ports,
            space,
            { capacity, maxAttempts, expiredOnly },
            rest === 'stored' ? undefined : rest,
          )
        : await reconcileSpace(ports, space, { capacity, resume, maxAttempts }, walkMs);
    emitPass(ports, space, result);
    if (result.passEnded) await emitCoverage(ports, space, remainingMs);
    if (tells) await emitStaleness(ports, space, result.unsent);
    return { report: { ...named, ...result }, rest: left };
  } catch (error) {
    const { code, message, failureClass } = describeFailure(error);
    ports.metrics.count('SpaceFailures', 1);
    ports.logger.error('space-failed', { ...named, code, failureClass, message });
    if (tells) await emitAfterFailure(ports, space);
    return end({ fault: { code, message, failureClass } });
  }
}

/**
 * Whether a space is worked on now. Every space that is no fallback always is.
 * A fallback is worked on only while a model that it stands in for is paused by a failure of that
 * model's provider.
 */
async function isNeeded(control: ControlStore, space: Space): Promise<boolean> {
  if (space.fallbackFor === undefined) return true;
  const scopes = new Set(space.fallbackFor.map(modelScope));
  const reasons = await control.reasons();
  return reasons.some(reason => scopes.has(reason.scope) && isProviderPause(reason.reason));
}

interface SourceCheck {
  readonly fault: SourceFault | undefined;
  /** Pause reasons that are not about a fault of the source. */
  readonly pausedBy: readonly PauseReason[];
}

/**
 * Pauses a source that is no longer what its space was made for.
 * Once the source is mended, the check clears the reason of the fault and no other reason.
 */
async function checkSource(ports: DetectPorts, space: Space): Promise<SourceCheck> {
  const { control } = ports;
  const scope = sourceScope(space.source.name);
  const fault = await ports.detection.findSourceFault(space);
  const reasons = await findPauseReasons(control, space);
  const faultReason = fault && `${SOURCE_FAULT_PREFIX}${fault.code}`;
  const isFaultReason = ({ reason }: PauseReason) => reason.startsWith(SOURCE_FAULT_PREFIX);
  for (const { reason } of reasons.filter(isFaultReason)) {
    if (reason !== faultReason) await control.resume(scope, reason);
  }
  if (fault && faultReason && !reasons.some(({ reason }) => reason === faultReason)) {
    await control.pause(scope, faultReason, fault.message);
  }
  return { fault, pausedBy: reasons.filter(reason => !isFaultReason(reason)) };
}

function emitPass(ports: DetectPorts, space: Space, result: PassResult): void {
  const { metrics, logger } = ports;
  metrics.count('DetectedRows', result.leased);
  metrics.count('SentRows', result.sent);
  const { orphans, skipped } = result;
  for (const [code, rows] of Map.groupBy(skipped, row => row.code))
    logger.error('rows-skipped', { spaceId: space.spaceId, code, rows: rows.length });
  if (!orphans) return;
  metrics.count('OrphansDeleted', orphans.deleted);
  metrics.count('OrphanRemovalStopped', orphans.stopped ? 1 : 0);
  if (orphans.stopped) {
    logger.error('orphan-removal-stopped', { spaceId: space.spaceId, cause: orphans.stopped });
  }
}

/** Milliseconds kept for the spaces and the metrics that come after the measuring. */
const RESERVE_MS = 15_000;
const MAX_MEASURE_MS = 60_000;

/**
 * Emits the coverage of a space at the end of its walk over the keys.
 * Measuring reads the whole table once more, so that it happens about once a day and when a
 * backfill is done. A table that takes longer than the time that is left is not measured.
 */
async function emitCoverage(ports: DetectPorts, space: Space, remainingMs: () => number): Promise<void> {
  const timeoutMs = Math.min(MAX_MEASURE_MS, remainingMs() - RESERVE_MS);
  if (ports.readCoveragePercent === undefined || timeoutMs <= 0) return;
  try {
    ports.metrics.count('CoveragePercent', await ports.readCoveragePercent(space, timeoutMs));
  } catch (error) {
    const { code, failureClass } = describeFailure(error);
    ports.logger.warn('coverage-not-measured', { spaceId: space.spaceId, code, failureClass });
  }
}
