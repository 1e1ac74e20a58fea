import {
  isRunScope,
  modelScope,
  OPERATOR_PAUSE,
  ORPHANS_CONFIRMED,
  PIPELINE_SCOPE,
  sourceScope,
} from '../../core/control.ts';
import { FreshetError, SOURCE_FAULT_PREFIX } from '../../core/errors.ts';
import type { Space } from '../../core/model.ts';
import type { SpaceQuote } from '../../core/quote.ts';
import type { ControlStore, PauseReason, SpaceRegistry } from '../../ports/control-store.ts';
import type {
  OperateExchanges,
  OutcomeSelection,
  PauseAnswer,
  ReportedSpace,
  SourceFailures,
  StageQuote,
  StatusAnswer,
} from '../../ports/operator.ts';
import type { Coverage, LedgerTotals, ReportStore } from '../../ports/report-store.ts';
import { readIfSourceIntact, readUnlessLocked } from '../failures.ts';
import type { OperatePorts } from './operate-ports.ts';

export async function reportStatus(ports: OperatePorts): Promise<StatusAnswer> {
  const spaces = await ports.spaces.list();
  const statuses = await readStatuses(ports, spaces);
  const paused = await readPauses(ports.control);
  // Another pause, as an operator's, does not say that rows cannot be listed.
  const faults = paused.filter(({ reason }) => reason.startsWith(SOURCE_FAULT_PREFIX));
  const isTold = (source: string) =>
    faults.some(({ scope }) => scope === sourceScope(source)) ||
    statuses.some(status => status.source === source);
  const sources = new Set(spaces.map(({ source }) => source.name));
  return {
    spaces: statuses,
    unread: [...sources].filter(source => !isTold(source)),
    paused,
    ledger: { ...(await readLedgers(ports.reports, spaces)), lastUpdate: findLastUpdate(statuses) },
    queries: await ports.reports.readQueries(),
    budget: await ports.reports.readSpending(ports.caps ?? []),
    flows: await ports.reports.readFlows(spaces),
  };
}

/** The coverage of each space, with how long its oldest edit has waited. */
async function readStatuses({ reports, detection }: OperatePorts, spaces: readonly Space[]) {
  const statuses: ReportedSpace[] = [];
  for (const space of spaces) {
    const coverages = await readUnlessLocked(() => readCoverages(reports, [space]));
    const coverage = coverages?.[0];
    if (coverage === undefined) continue;
    const { fresh } = await detection.readStaleness(space);
    const rowsPerSecond = await reports.readRate(space);
    statuses.push({ ...coverage, oldestStaleAgeSeconds: fresh.oldestAgeSeconds, rowsPerSecond });
  }
  return statuses;
}

/**
 * The reasons that hold work up.
 * An operator's confirmation is no pause, nor is the wish that one run stops.
 */
async function readPauses(control: ControlStore): Promise<readonly PauseReason[]> {
  return (await control.reasons()).filter(
    ({ scope, reason }) => reason !== ORPHANS_CONFIRMED && !isRunScope(scope),
  );
}

/**
 * The coverage of each space. A space whose source cannot be read is left out.
 * The reason stands among the pauses. `timeoutMs` is the limit of each space.
 */
export async function readCoverages(
  reports: ReportStore,
  spaces: readonly Space[],
  timeoutMs?: number,
): Promise<Coverage[]> {
  const coverages: Coverage[] = [];
  for (const space of spaces) {
    const coverage = await readIfSourceIntact(() => reports.readCoverage(space, timeoutMs));
    if (coverage !== undefined) coverages.push(coverage);
  }
  return coverages;
}

async function readLedgers(reports: ReportStore, spaces: readonly Space[]): Promise<LedgerTotals> {
  let totals: LedgerTotals = {
    providerCalls: 0,
    tokens: 0,
    costUsd: 0,
    necessaryUsd: 0,
    paidAndLostCalls: 0,
    paidAndLostCostUsd: 0,
  };
  for (const space of spaces) totals = addLedgers(totals, await reports.readLedger(space));
  return totals;
}

function addLedgers(left: LedgerTotals, right: LedgerTotals): LedgerTotals {
  return {
    providerCalls: left.providerCalls + right.providerCalls,
    tokens: left.tokens + right.tokens,
    costUsd: left.costUsd + right.costUsd,
    necessaryUsd: left.necessaryUsd + right.necessaryUsd,
    paidAndLostCalls: left.paidAndLostCalls + right.paidAndLostCalls,
    paidAndLostCostUsd: left.paidAndLostCostUsd + right.paidAndLostCostUsd,
  };
}

/** When a vector was written last in any of the spaces. Sessions write all times in UTC. */
export function findLastUpdate(coverages: readonly Pick<Coverage, 'lastUpdate'>[]): string | null {
  const times = coverages.flatMap(({ lastUpdate }) => lastUpdate ?? []);
  return times.toSorted().at(-1) ?? null;
}

/** Pauses as an operator. Who pauses again without words leaves those of the first one. */
export async function pauseScope(
  ports: OperatePorts,
  { scope, detail }: { readonly scope: string; readonly detail: string },
): Promise<PauseAnswer> {
  await requireScope(ports, scope);
  const held = await isHeld(ports, scope);
  if (!held || detail !== '') await ports.control.pause(scope, OPERATOR_PAUSE, detail);
  ports.logger.warn('paused-by-operator', { scope });
  return { changed: !held, paused: await readPauses(ports.control) };
}

/** Clears the operator's own reason. What a provider or the budget set still holds. */
export async function resumeScope(
  ports: OperatePorts,
  { scope }: { readonly scope: string },
): Promise<PauseAnswer> {
  const held = await isHeld(ports, scope);
  if (!held) await requireScope(ports, scope);
  await ports.control.resume(scope, OPERATOR_PAUSE);
  if (held) ports.logger.info('resumed-by-operator', { scope });
  return { changed: held, paused: await readPauses(ports.control) };
}

async function isHeld({ control }: OperatePorts, scope: string): Promise<boolean> {
  return (await control.reasons(scope)).some(({ reason }) => reason === OPERATOR_PAUSE);
}

/**
 * Refuses a scope that does not exist.
 * A mistyped name would pause nothing and look as if it did.
 * @throws FreshetError `bad_request` that says what there is
 */
async function requireScope({ spaces }: OperatePorts, scope: string): Promise<void> {
  const known = new Set([PIPELINE_SCOPE]);
  for (const { source, model } of await spaces.list())
    known.add(sourceScope(source.name)).add(modelScope(model.alias));
  if (!known.has(scope))
    throw badRequest(`There is nothing of that name to pause; there are: ${[...known].join(', ')}.`);
}

export async function planResets(
  ports: OperatePorts,
  selection: OutcomeSelection,
): Promise<OperateExchanges['plan-reset']['answer']> {
  const spaces: (SpaceQuote | StageQuote)[] = [];
  for (const space of await chooseSpaces(ports.spaces, selection))
    spaces.push(await ports.quoteReset(space, await ports.resets.plan(space, selection)));
  return { spaces };
}

/**
 * Resets one batch of one space, and says where the next one begins.
 * A request that is repeated finds its rows reset already, and counts none twice.
 */
export async function resetBatch(
  ports: OperatePorts,
  request: OperateExchanges['reset']['request'],
): Promise<OperateExchanges['reset']['answer']> {
  const chosen = await chooseSpaces(ports.spaces, request);
  const cursor = request.cursor ?? { spaceId: chosen[0]!.spaceId, after: null };
  const place = chosen.findIndex(space => space.spaceId === cursor.spaceId);
  const space = chosen[place];
  if (space === undefined) throw badRequest('The cursor is of another selection: begin again without one.');
  const { rows, cursor: after } = await ports.resets.reset(space, request, {
    after: cursor.after,
    limit: request.limit,
  });
  if (rows > 0) ports.logger.warn('reset-by-operator', { spaceId: space.spaceId, rows });
  if (after !== null) return { rows, cursor: { spaceId: space.spaceId, after } };
  const next = chosen[place + 1];
  return { rows, cursor: next === undefined ? null : { spaceId: next.spaceId, after: null } };
}

/**
 * Quotes one space, and says which is next.
 * A space that stands in for a paused model is left out, and one whose source cannot be read.
 */
export async function quoteNextSpace(
  { spaces, quoteSpace }: OperatePorts,
  { source, spaceId }: OperateExchanges['quote-space']['request'],
): Promise<OperateExchanges['quote-space']['answer']> {
  if (quoteSpace === undefined) throw badRequest('A database on this machine is asked by freshet quote.');
  const chosen = (await chooseSpaces(spaces, { source })).filter(
    ({ fallbackFor }) => fallbackFor === undefined,
  );
  const place = spaceId === null ? 0 : chosen.findIndex(space => space.spaceId === spaceId);
  const space = chosen[place];
  if (space === undefined) throw badRequest('There is no such space any more: begin again without one.');
  const quote = await quoteSpace(space);
  return { quotes: quote === undefined ? [] : [quote], next: chosen[place + 1]?.spaceId ?? null };
}

export async function listFailures(
  ports: OperatePorts,
  { exampleLimit }: OperateExchanges['failures']['request'],
): Promise<OperateExchanges['failures']['answer']> {
  const failures: SourceFailures[] = [];
  for (const space of await ports.spaces.list()) {
    const groups = await readIfSourceIntact(() => ports.reports.readFailures(space, exampleLimit));
    for (const group of groups ?? [])
      failures.push({ source: space.source.name, model: space.model.alias, ...group });
  }
  return { failures };
}

/**
 * Makes failed rows stale again, up to the limit in each space.
 * Rows that are stale already do not count. An id that no key of a source can have is left to the
 * other sources.
 * @throws FreshetError `bad_request` where no source has such keys
 */
export async function retryBatch(
  ports: OperatePorts,
  request: OperateExchanges['retry']['request'],
): Promise<OperateExchanges['retry']['answer']> {
  const { cause, itemId, limit } = request;
  const selection = { limit, ...(itemId !== undefined && { itemId }), ...(cause !== undefined && { cause }) };
  let rows = 0;
  let more = false;
  let refusal: FreshetError | undefined;
  let asked = 0;
  for (const space of await chooseSpaces(ports.spaces, { source: request.source })) {
    const retried = await ports.reports.retryFailures(space, selection).catch(error => {
      const isOfItem = itemId !== undefined && /^(sqlstate_22...|invalid_key)$/.test(error?.code);
      if (!isOfItem) throw error;
      refusal = badRequest(`Source "${space.source.name}": ${error.message}`);
      return undefined;
    });
    if (retried === undefined) continue;
    asked += 1;
    rows += retried;
    more ||= retried >= limit;
  }
  if (asked === 0 && refusal !== undefined) throw refusal;
  if (rows > 0) ports.logger.warn('retried-by-operator', { rows });
  return { rows, more };
}

/**
 * Lets the reconcile pass go on from the lowest key.
 * The pass stays the same: orphans are judged by its beginning, which does not change.
 */
export async function restartReconcile(
  ports: OperatePorts,
  request: OperateExchanges['backfill']['request'],
): Promise<OperateExchanges['backfill']['answer']> {
  const spaces = await chooseSpaces(ports.spaces, request);
  for (const space of spaces) {
    const { reconcileCursor } = await ports.detection.readPosition(space);
    if (reconcileCursor !== null) await ports.detection.writeReconcileCursor(space, null, false);
    ports.logger.info('backfill-by-operator', { spaceId: space.spaceId });
  }
  return { spaces: spaces.map(({ source, model }) => ({ source: source.name, model: model.alias })) };
}

/**
 * The spaces of a source, of a model, or of both.
 * @throws FreshetError `bad_request` that says what there is, when none matches
 */
async function chooseSpaces(
  registry: SpaceRegistry,
  wanted: { readonly source?: string | undefined; readonly model?: string | undefined },
): Promise<readonly Space[]> {
  const spaces = await registry.list();
  const chosen = spaces.filter(
    ({ source, model }) =>
      (wanted.source === undefined || wanted.source === source.name) &&
      (wanted.model === undefined || wanted.model === model.alias),
  );
  if (chosen.length > 0) return chosen;
  const names = spaces.map(space => `${space.source.name} · ${space.model.alias}`);
  throw badRequest(`No source and model match. There are: ${names.join(', ')}.`);
}

/**
 * An error for a request that cannot be answered.
 * The operator's terminal shows the sentence as it is.
 */
export function badRequest(message: string): FreshetError {
  return new FreshetError(message, { failureClass: 'unknown', code: 'bad_request' });
}
