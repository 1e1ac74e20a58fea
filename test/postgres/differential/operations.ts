import { sql } from 'kysely';
import { grantProbe } from '../../../lib/adapters/sql/grants.ts';
import { createQueryLedger } from '../../../lib/adapters/sql/query-ledger.ts';
import { listCaps } from '../../../lib/core/budget.ts';
import { LANES, type Outcome } from '../../../lib/core/model.ts';
import type { Pace } from '../../../lib/core/pace.ts';
import type { ResultObject, RowReading } from '../../../lib/core/result-object.ts';
import { encodeVectorArray } from '../../../lib/core/vectors.ts';
import { lendRows } from '../../../lib/pipeline/embed/lend-rows.ts';
import type { CallGrant } from '../../../lib/ports/outcome-store.ts';
import { buildHash } from '../../factories/result-object.ts';
import { printTimestamp, seconds } from '../../twin/timestamps.ts';
import { periodStart, queriesUsd } from '../../twin/twin-caps.ts';
import { sourceOf, spaceOf } from '../../twin/twin-database.ts';
import { grantProbe as grantProbeOnTwin } from '../../twin/twin-embedding.ts';
import { readCoverage, retryFailures } from '../../twin/twin-report.ts';
import { budgetOf, nextIdentifier, type Pair } from './pair.ts';
import { LIVE_RUN } from './virtual-server.ts';

/** The answers of the server and of the twin, which must be equal. */
export interface Answers {
  readonly real: unknown;
  readonly twin: unknown;
}

type Operation = (pair: Pair) => Promise<Answers>;

const HASHES = [buildHash(1), buildHash(2), buildHash(3)];

const someIds = ({ random, keys }: Pair) => random.shuffle(keys).slice(0, random.between(1, 4));

/** Draws a dispatch: mostly one that holds a lease now, else an old or an unknown one. */
function someDispatch(pair: Pair): string {
  const { random, dispatches } = pair;
  const holding = [...spaceOf(pair.twin, pair.space).leases.values()];
  if (holding.length > 0 && random.chance(0.7)) return random.pick(holding).dispatchId;
  return dispatches.length > 0 && random.chance(0.9) ? random.pick(dispatches) : nextIdentifier(pair);
}

const someSeconds = ({ random }: Pair) => random.pick([0, 1, 60, 120.5, 900]);
const someRange = ({ random, keys }: Pair) => ({
  after: random.chance(0.6) ? null : random.pick(keys),
  through: random.chance(0.6) ? null : random.pick(keys),
});

function someRequest(pair: Pair, lane: 'fresh' | 'bulk') {
  const dispatchId = nextIdentifier(pair);
  pair.dispatches.push(dispatchId);
  const runId = pair.random.chance(0.15) ? pair.random.pick([7, LIVE_RUN]) : null;
  return {
    dispatchId,
    lane,
    limit: pair.random.pick([0, 1, 2, 3, 50]),
    leaseSeconds: someSeconds(pair),
    maxAttempts: pair.random.pick([undefined, undefined, 0, 1]),
    runId,
    // As in a local run.
    stage: runId === null ? ('sending' as const) : ('queued' as const),
  };
}

/** Draws a time, now and then just a row's version: a row at the watermark must be found. */
function someTime(pair: Pair): string | null {
  const { random, twin, space, nowMicros } = pair;
  const versions = [...sourceOf(twin, space).rows.values()].flatMap(({ version }) => version ?? []);
  if (versions.length > 0 && random.chance(0.4)) return printTimestamp(random.pick(versions));
  return random.chance(0.15) ? null : printTimestamp(nowMicros - seconds(random.below(1200)));
}

const somePause = ({ random, space }: Pair) => ({
  scope: random.pick(['pipeline', 'model:small', 'model:other', `source:${space.source.name}`]),
  reason: random.pick(['operator', 'orphans:confirmed']),
});

function nextCall(pair: Pair): string {
  const callId = nextIdentifier(pair);
  pair.calls.push(callId);
  return callId;
}

function someGrant(pair: Pair, callId: string): CallGrant {
  const { spaceId, model } = pair.space;
  const runId = pair.random.pick([null, 7, LIVE_RUN]);
  const holder = { runId, dispatchId: someDispatch(pair), ids: someIds(pair) };
  const grant = { callId, spaceId, modelAlias: model.alias, estimatedTokens: 4, estimatedCostUsd: 0.25 };
  return pair.random.chance(0.2) ? grant : { ...grant, holder };
}

/** Draws a result; `used` are the readings of other objects of the same transaction. */
function someResult(pair: Pair, used = new Set<string>()): ResultObject {
  const { random, space } = pair;
  const outcomes: ResultObject['outcomes'][number][] = [];
  const copies: ResultObject['copies'][number][] = [];
  const touches: ResultObject['touches'][number][] = [];
  const vectors: (Buffer | null)[] = [];
  // Nothing says which of two readings with one stamp wins within an object. The product never
  // puts two such readings into one object.
  for (const reading of random.shuffle(pair.readings).slice(0, random.between(1, 4))) {
    const stamped = `${reading.id}@${reading.readAt}`;
    if (used.has(stamped)) continue;
    used.add(stamped);
    const contentHash =
      random.chance(0.4) && reading.stored?.contentHash ? reading.stored.contentHash : random.pick(HASHES);
    const row: RowReading = {
      id: reading.id,
      version: reading.version,
      xid: reading.xid,
      readAt: reading.readAt,
    };
    const kind = random.below(6);
    if (kind === 0) copies.push({ ...row, contentHash, textLength: 7, keptLength: 6 });
    else if (kind === 1) touches.push({ ...row, contentHash });
    else {
      const outcome: Outcome =
        kind < 5
          ? 'embedded'
          : random.pick([
              'excluded:empty',
              'excluded:unknown-words',
              'refused:http_400',
              'undelivered',
              'refused:duplicate-key',
            ]);
      const hasHash = outcome !== 'undelivered' && outcome !== 'refused:duplicate-key';
      const tokens = outcome === 'embedded' ? HASHES.indexOf(contentHash) + 1 : 0;
      outcomes.push({
        ...row,
        outcome,
        contentHash: hasHash ? contentHash : null,
        textLength: 5,
        keptLength: 4,
        tokens,
      });
      vectors.push(outcome === 'embedded' ? vectorOfHash(contentHash) : null);
    }
  }
  const isNew = pair.calls.length === 0 || random.chance(0.7);
  const callId = isNew ? nextIdentifier(pair) : random.pick(pair.calls);
  const call = { callId, modelAlias: 'small', lane: 'fresh' as const, items: 1, uniqueTexts: 1, tokens: 3 };
  const refused = outcomes.filter(({ outcome }) => outcome === 'refused:http_400');
  return {
    ...{ spaceId: space.spaceId, dispatchId: someDispatch(pair), lane: 'fresh', runId: null },
    dimensions: space.model.dimensions,
    calls: random.chance(0.3)
      ? []
      : [{ ...call, costUsd: 0.5, latencyMs: 1.5, outcome: 'ok', requestId: null }],
    ...{ outcomes, copies, touches },
    verdicts: refused.map(({ contentHash }) => ({
      contentHash: contentHash ?? '',
      failureClass: 'item',
      code: 'http_400',
    })),
    vectors: encodeVectorArray(vectors, space.model.dimensions),
  };
}

/** Makes one vector per hash, so that a copy may come from any holder. */
function vectorOfHash(hash: string): Buffer {
  const vector = Buffer.alloc(12);
  vector.writeFloatLE(HASHES.indexOf(hash) + 1, 0);
  return vector;
}

/** Seconds that a call has left while it waits for the rate, and by which the lease of a lent row outlives them. */
const WAIT_SECONDS = 5;
const LENT_MARGIN_SECONDS = 60;

/**
 * Lends rows on the server by the product's own code, while a look for edits comes by.
 * The server has one connection: the look stands behind the statement that lends.
 */
async function lendOnServer(
  { real, space }: Pair,
  { dispatchId, ids, look, share }: Lending,
): Promise<readonly unknown[]> {
  const clock = { now: () => 0, sleep: async () => undefined };
  const looking = new Promise(setImmediate).then(() => real.detection.leaseChangedRows(space, look));
  const answer = await lendRows(
    { ...real, clock },
    space,
    { dispatchId, ids: () => ids },
    {
      waiting: looking.then(() => share),
      isGranted: granted => granted === 'granted',
      remainingMs: () => 1_000 * WAIT_SECONDS,
    },
  );
  return [await looking, answer];
}

/** What lending is, in steps of the twin. */
function lendOnTwin({ stores, space }: Pair, { dispatchId, ids, look, share }: Lending): readonly unknown[] {
  const { embedding, detection } = stores;
  if (ids.length > 0) embedding.postponeLeases(space, dispatchId, ids, WAIT_SECONDS + LENT_MARGIN_SECONDS);
  const found = detection.leaseChangedRows(space, look);
  if (share !== 'granted' || ids.length === 0) return [found, share];
  const isWhole = embedding.beginEmbedding(space, dispatchId, ids).length === ids.length;
  return [found, isWhole ? share : 'taken'];
}

interface Lending {
  readonly dispatchId: string;
  readonly ids: readonly string[];
  readonly look: Parameters<Pair['real']['detection']['leaseChangedRows']>[1];
  readonly share: 'granted' | 'busy';
}

/** Gives the server's method and the twin's the same arguments. */
async function both<Args extends unknown[], Value>(
  real: (...args: Args) => Promise<Value>,
  twin: (...args: Args) => Value,
  ...args: Args
): Promise<Answers> {
  return { real: await real(...args), twin: twin(...args) };
}

export const OPERATIONS: Readonly<Record<string, Operation>> = {
  countInFlight: ({ real, stores, space }) =>
    both(real.detection.countInFlight, stores.detection.countInFlight, space),
  readPosition: ({ real, stores, space }) =>
    both(real.detection.readPosition, stores.detection.readPosition, space),
  readHorizon: ({ real, stores, space }) =>
    both(real.detection.readHorizon, stores.detection.readHorizon, space),
  readStaleness: ({ real, stores, space }) =>
    both(real.detection.readStaleness, stores.detection.readStaleness, space),
  /** Asks for the rate several times, while time passes and the clock steps. */
  takeRate: async pair => {
    const { random, real, stores, server } = pair;
    const limits = {
      requestsPerMinute: random.pick([null, 30, 600]),
      tokensPerMinute: random.pick([null, 600, 6_000]),
    };
    const answers: Answers[] = [];
    for (let asked = 0; asked < 3; asked += 1) {
      const ask = { limits, lane: random.pick(LANES), tokens: random.pick([1, 20, 500]), largestTokens: 500 };
      const hidesAboveMs = random.pick([null, 0, 500]);
      answers.push(await both(real.pace.takeRate, stores.pace.takeRate, 'small', { ...ask, hidesAboveMs }));
      pair.nowMicros += seconds(random.pick([-5, 0, 0.25, 1, 10]));
      await server.setNow(pair.nowMicros);
    }
    return { real: answers.map(answer => answer.real), twin: answers.map(answer => answer.twin) };
  },
  noteRate: async pair => {
    const { random, real, stores } = pair;
    const news = {
      limits: { requestsPerMinute: null, tokensPerMinute: random.pick([null, 600]) },
      learned: random.pick([
        undefined,
        { requestsPerMinute: 120, tokensPerMinute: null },
        { requestsPerMinute: null, tokensPerMinute: 1_200 },
      ]),
      excessTokens: random.pick([-15, 0, 40]),
      isAnswered: random.chance(0.5),
      throttled: random.pick([
        undefined,
        { retryAfterMs: undefined, lowersRate: true },
        { retryAfterMs: 3_000, lowersRate: false },
      ]),
    };
    await both(real.pace.noteRate, stores.pace.noteRate, 'small', news);
    return both(real.pace.readRateLimits, stores.pace.readRateLimits, 'small');
  },
  /** Lifts pauses of caps, now and then after somebody raised them. */
  liftBudgetPauses: ({ random, real, stores, caps }) => {
    const times = random.pick([1, 1.5, 4]);
    if (times > 1) caps.splice(0, caps.length, ...listCaps(budgetOf(times * (caps[0]?.usd ?? 1))));
    return both(real.detection.liftBudgetPauses, stores.detection.liftBudgetPauses);
  },
  /** Enters what a query cost, now and then once more after no answer came, and adds up what all cost. */
  enterQuery: async pair => {
    const { random, real, twin, server } = pair;
    // An entry that is written again after it was deleted would count twice: nobody tries for so long.
    const isKept = (recordedAt: number) => twin.now() - recordedAt < seconds(6 * 86_400);
    const known = [...twin.queries].flatMap(([id, { recordedAt }]) => (isKept(recordedAt) ? [id] : []));
    const entryId = known.length > 0 && random.chance(0.3) ? random.pick(known) : nextIdentifier(pair);
    const entry = {
      entryId,
      modelAlias: random.pick(['small', 'other']),
      calls: 1,
      texts: 1,
      tokens: 4,
      costUsd: 0.25,
    };
    await createQueryLedger(server.db).enter([entry]);
    if (!twin.queries.has(entryId))
      twin.queries.set(entryId, { costUsd: entry.costUsd, recordedAt: twin.now() });
    const { providerCalls, costUsd, costUsdToday } = await real.report.readQueries();
    const today = queriesUsd(twin, periodStart(twin, { period: 'day' }));
    return {
      real: [providerCalls, costUsd, costUsdToday],
      twin: [twin.queries.size, queriesUsd(twin, Number.NEGATIVE_INFINITY), today],
    };
  },
  /**
   * Settles, now and then after a run died in a call of one row of a message that had several, or
   * after the result of a Lambda has waited longer for the writer than any Lambda lives.
   */
  settleLostCalls: async pair => {
    const { random, real, stores, twin, space, keys } = pair;
    const leases = [...spaceOf(twin, space).leases.values()];
    const ofRuns = leases.filter(({ runId }) => runId !== null);
    const ofLambdas = leases.filter(({ runId }) => runId === null);
    const grantOne = (id: string, dispatchId: string, runId: number | null) => {
      const grant = { ...someGrant(pair, nextCall(pair)), holder: { runId, dispatchId, ids: [id] } };
      return both(real.embedding.grantCall, stores.embedding.grantCall, space, grant);
    };
    if (ofRuns.length > 0 && random.chance(0.7)) {
      const { id, runId, dispatchId } = random.pick(ofRuns);
      await both(real.embedding.beginEmbedding, stores.embedding.beginEmbedding, space, dispatchId, keys);
      await grantOne(id, dispatchId, runId);
    } else if (ofLambdas.length > 0 && random.chance(0.5)) {
      const { id, dispatchId } = random.pick(ofLambdas);
      await both(real.embedding.beginEmbedding, stores.embedding.beginEmbedding, space, dispatchId, keys);
      await grantOne(id, dispatchId, null);
      const announced = [space, dispatchId, [id], 3600] as const;
      await both(real.embedding.markAnnounced, stores.embedding.markAnnounced, ...announced);
      pair.nowMicros += seconds(1000);
      await pair.server.setNow(pair.nowMicros);
    }
    return both(real.detection.settleLostCalls, stores.detection.settleLostCalls);
  },
  expireLeasesOfDeadRuns: ({ real, stores }) =>
    both(real.detection.expireLeasesOfDeadRuns, stores.detection.expireLeasesOfDeadRuns),
  findSliceEnd: pair =>
    both(
      pair.real.detection.findSliceEnd,
      pair.stores.detection.findSliceEnd,
      pair.space,
      someRange(pair).after,
      pair.random.between(1, 4),
    ),
  writeWatermark: pair =>
    both(pair.real.detection.writeWatermark, pair.stores.detection.writeWatermark, pair.space, [
      someTime(pair),
      someTime(pair),
    ]),
  writeUnsent: pair =>
    both(
      pair.real.detection.writeUnsent,
      pair.stores.detection.writeUnsent,
      ...([pair.space, pair.random.chance(0.6)] as const),
    ),
  countUnsentRows: pair =>
    both(
      pair.real.detection.countUnsentRows,
      pair.stores.detection.countUnsentRows,
      ...([pair.space, pair.random.pick([1, 3, 50])] as const),
    ),
  writeReconcileCursor: pair => {
    const passEnded = pair.random.chance(0.8);
    const cursor = passEnded ? null : pair.random.pick(pair.keys);
    const { real, stores, space } = pair;
    return both(
      real.detection.writeReconcileCursor,
      stores.detection.writeReconcileCursor,
      space,
      cursor,
      passEnded,
    );
  },
  leaseChangedRows: pair => {
    const version = someTime(pair);
    const from =
      version !== null && pair.random.chance(0.4) ? { version, id: pair.random.pick(pair.keys) } : undefined;
    const request = { ...someRequest(pair, 'fresh'), watermark: someTime(pair), from };
    return both(
      pair.real.detection.leaseChangedRows,
      pair.stores.detection.leaseChangedRows,
      pair.space,
      request,
    );
  },
  leaseBehindCrowd: pair => {
    const version = someTime(pair) ?? printTimestamp(pair.nowMicros);
    const from = { version, id: pair.random.pick(pair.keys) };
    const page = pair.keys.filter(() => pair.random.chance(0.5));
    const somePlace = () =>
      pair.random.chance(0.3)
        ? { version: someTime(pair) ?? version, id: pair.random.pick(pair.keys) }
        : undefined;
    const request = {
      ...{ ...someRequest(pair, 'fresh'), from, page, walkedRows: pair.random.pick([1, 3, 50]) },
      ...{ newerThan: somePlace(), olderThan: somePlace() },
    };
    return both(
      pair.real.detection.leaseBehindCrowd,
      pair.stores.detection.leaseBehindCrowd,
      pair.space,
      request,
    );
  },
  leaseStaleSlice: pair => {
    const request = { ...someRequest(pair, 'bulk'), ...someRange(pair) };
    return both(
      pair.real.detection.leaseStaleSlice,
      pair.stores.detection.leaseStaleSlice,
      pair.space,
      request,
    );
  },
  removeOrphans: ({ real, stores, space, random, keys }) => {
    const slice = random.chance(0.7)
      ? { after: null, through: null }
      : { after: null, through: keys[3] ?? null };
    return both(real.detection.removeOrphans, stores.detection.removeOrphans, space, slice);
  },
  /**
   * Runs three passes within an hour or two: each looks at what the earlier ones marked.
   *
   * The single operations hardly ever come in this order.
   */
  passThrice: async pair => {
    const { real, stores, space, random, server } = pair;
    const whole = { after: null, through: null };
    const answers: Answers[] = [];
    for (let pass = 0; pass < 3; pass += 1) {
      answers.push(await both(real.detection.removeOrphans, stores.detection.removeOrphans, space, whole));
      const { writeReconcileCursor } = real.detection;
      answers.push(
        await both(writeReconcileCursor, stores.detection.writeReconcileCursor, space, null, true),
      );
      pair.nowMicros += seconds(random.pick([1, 900, 1900]));
      await server.setNow(pair.nowMicros);
    }
    return { real: answers.map(answer => answer.real), twin: answers.map(answer => answer.twin) };
  },
  confirmSent: pair =>
    both(
      pair.real.detection.confirmSent,
      pair.stores.detection.confirmSent,
      ...([pair.space, someDispatch(pair), someIds(pair), someSeconds(pair)] as const),
    ),
  abandonLeases: pair => {
    const dispatchId = someDispatch(pair);
    const ids = someIds(pair);
    const stage = ids.length % 2 === 0 ? ('sending' as const) : ('queued' as const);
    const { real, stores, space } = pair;
    return both(
      real.detection.abandonLeases,
      stores.detection.abandonLeases,
      ...([space, { dispatchId, stage }, ids.length > 2 ? undefined : ids] as const),
    );
  },
  beginEmbedding: async pair => {
    const ids = someIds(pair);
    const dispatchId = someDispatch(pair);
    return both(
      pair.real.embedding.beginEmbedding,
      pair.stores.embedding.beginEmbedding,
      pair.space,
      dispatchId,
      ids,
    );
  },
  readRows: async pair => {
    const { real, stores, space } = pair;
    const answers = await both(
      real.embedding.readRows,
      stores.embedding.readRows,
      space,
      pair.keys,
      pair.random.pick([4, 1000]),
    );
    const byId = (rows: unknown) => Object.fromEntries((rows as RowReading[]).map(row => [row.id, row]));
    pair.readings.push(...(answers.twin as Pair['readings']));
    return { real: byId(answers.real), twin: byId(answers.twin) };
  },
  lookUpHashes: ({ real, stores, space }) =>
    both(real.embedding.lookUpHashes, stores.embedding.lookUpHashes, space, HASHES),
  grantCall: pair => {
    const grant = someGrant(pair, nextCall(pair));
    return both(pair.real.embedding.grantCall, pair.stores.embedding.grantCall, pair.space, grant);
  },
  /** Notes what a call was billed, and asks for the next one: it sees the bill. */
  noteBill: async pair => {
    const { random, real, stores, twin, space } = pair;
    const callId = random.pick([...twin.grants.keys(), nextCall(pair)]);
    const costUsd = random.pick([0, 0.5, 2]);
    await both(real.embedding.noteBill!, stores.embedding.noteBill!, callId, costUsd);
    const grant = someGrant(pair, nextCall(pair));
    return both(real.embedding.grantCall, stores.embedding.grantCall, space, grant);
  },
  grantProbe: async pair => {
    const callId =
      pair.calls.length > 0 && pair.random.chance(0.3) ? pair.random.pick(pair.calls) : undefined;
    const grant = someGrant(pair, callId ?? nextCall(pair));
    return { real: await grantProbe(pair.server.db, grant), twin: grantProbeOnTwin(pair.twin, grant) };
  },
  /** Claims one reason three times: what the first claim marks, the next ones look at. */
  claimProbeThrice: async pair => {
    const { random, real, stores, twin, server } = pair;
    const { scope, reason } =
      twin.pauses.length > 0 && random.chance(0.8) ? random.pick(twin.pauses) : somePause(pair);
    const answers: Answers[] = [];
    for (let claim = 0; claim < 3; claim += 1) {
      answers.push(await both(real.probes.claim, stores.probes.claim, scope, reason, 60));
      pair.nowMicros += seconds(random.pick([1, 59, 60]));
      await server.setNow(pair.nowMicros);
    }
    return { real: answers.map(answer => answer.real), twin: answers.map(answer => answer.twin) };
  },
  readPace: ({ real, stores }) => both(real.pace.readPace, stores.pace.readPace, 'small'),
  /** Takes three turns, of which the first may be over when the next one is asked for, or its run dead. */
  takeTurnThrice: async pair => {
    const { random, real, stores, server } = pair;
    const answers: Answers[] = [];
    for (let turn = 0; turn < 3; turn += 1) {
      const call = { callId: nextCall(pair), runId: random.pick([null, 7, LIVE_RUN]) };
      const args = ['small', call, random.pick([1, 60])] as const;
      answers.push(await both(real.pace.takeTurn, stores.pace.takeTurn, ...args));
      pair.nowMicros += seconds(random.pick([0, 1, 59]));
      await server.setNow(pair.nowMicros);
    }
    return { real: answers.map(answer => answer.real), twin: answers.map(answer => answer.twin) };
  },
  storePace: pair => {
    const { random, real, stores, twin } = pair;
    const draw = (): Pace => ({
      textsPerCall: random.pick([null, 1, 50]),
      callsAtOnce: random.pick([null, 1, 2]),
      secondsPerToken: random.pick([null, 0.5]),
    });
    const seen = random.chance(0.6) ? (twin.paces.get('small')?.pace ?? draw()) : draw();
    const taken = [...(twin.paces.get('small')?.inFlight.keys() ?? [])];
    const turnId = taken.length > 0 ? random.pick(taken) : nextIdentifier(pair);
    return both(real.pace.storePace, stores.pace.storePace, 'small', turnId, seen, draw());
  },
  revokeGrant: async pair => {
    const callId = pair.calls.length > 0 ? pair.random.pick(pair.calls) : nextIdentifier(pair);
    return both(pair.real.embedding.revokeGrant, pair.stores.embedding.revokeGrant, callId);
  },
  markAnnounced: pair =>
    both(
      pair.real.embedding.markAnnounced,
      pair.stores.embedding.markAnnounced,
      ...([pair.space, someDispatch(pair), someIds(pair), someSeconds(pair)] as const),
    ),
  dropLeases: pair =>
    both(
      pair.real.embedding.dropLeases,
      pair.stores.embedding.dropLeases,
      ...([pair.space, someDispatch(pair), someIds(pair)] as const),
    ),
  postponeLeases: pair =>
    both(
      pair.real.embedding.postponeLeases,
      pair.stores.embedding.postponeLeases,
      ...([pair.space, someDispatch(pair), someIds(pair), someSeconds(pair)] as const),
    ),
  /** Lends what a bulk message holds to a look for edits, while its call waits for the rate. */
  lendRows: async pair => {
    const { random, real, stores, space, keys, twin } = pair;
    const slice = { ...someRequest(pair, 'bulk'), limit: 50, after: null, through: null };
    await both(real.detection.leaseStaleSlice, stores.detection.leaseStaleSlice, space, slice);
    const { dispatchId } = slice;
    await both(real.embedding.beginEmbedding, stores.embedding.beginEmbedding, space, dispatchId, keys);
    const leases = [...spaceOf(twin, space).leases.values()];
    const mine = leases.filter(lease => lease.dispatchId === dispatchId).map(({ id }) => id);
    const watermark = random.chance(0.7) ? '-infinity' : someTime(pair);
    const lending: Lending = {
      dispatchId,
      ids: random.chance(0.9) ? mine : someIds(pair),
      look: { ...someRequest(pair, 'fresh'), watermark },
      share: random.chance(0.8) ? 'granted' : 'busy',
    };
    return { real: await lendOnServer(pair, lending), twin: lendOnTwin(pair, lending) };
  },
  writeResult: async pair => {
    const isAgain = pair.written.length > 0 && pair.random.chance(0.15);
    const result = isAgain ? (pair.random.pick(pair.written) as ResultObject) : someResult(pair);
    pair.written.push(result);
    // The writer turns the element OID of its own copy of the vectors.
    const twinResult = { ...result, vectors: Buffer.from(result.vectors) };
    return {
      real: await pair.real.outcomes.writeResult(pair.space, result),
      twin: pair.stores.outcomes.writeResult(pair.space, twinResult),
    };
  },
  writeResults: async pair => {
    const used = new Set<string>();
    const results = Array.from({ length: pair.random.between(2, 3) }, () => someResult(pair, used));
    pair.written.push(...results);
    const twinResults = results.map(result => ({ ...result, vectors: Buffer.from(result.vectors) }));
    return {
      real: await pair.real.outcomes.writeResults(pair.space, results),
      twin: pair.stores.outcomes.writeResults(pair.space, twinResults),
    };
  },
  expireLeases: pair =>
    both(
      pair.real.outcomes.expireLeases,
      pair.stores.outcomes.expireLeases,
      ...([pair.space, someDispatch(pair), someIds(pair)] as const),
    ),
  areRecorded: pair => {
    const { random } = pair;
    const calls = [
      ...pair.calls,
      ...(pair.written as ResultObject[]).flatMap(result => result.calls.map(call => call.callId)),
    ];
    // A call that was announced twice is named twice; one that was never made is nowhere.
    const named = Array.from({ length: random.between(1, 3) }, () =>
      calls.length > 0 && random.chance(0.9) ? random.pick(calls) : nextIdentifier(pair),
    );
    return both(pair.real.outcomes.areRecorded, pair.stores.outcomes.areRecorded, named);
  },
  changePause: pair => {
    const { random, real, stores } = pair;
    const { scope, reason } = somePause(pair);
    if (random.chance(0.6)) return both(real.control.resume, stores.control.resume, scope, reason);
    return both(real.control.pause, stores.control.pause, scope, reason, random.pick(['', 'why']));
  },
  reasons: ({ real, stores }) => both(real.control.reasons, stores.control.reasons),
  readCoverage: async ({ real, twin, space }) => {
    const { lastUpdate: _, ...counted } = await real.report.readCoverage(space);
    return { real: counted, twin: readCoverage(twin, space) };
  },
  retryFailures: async pair => {
    const { real, twin, space, server } = pair;
    const answers = { real: await real.report.retryFailures(space, {}), twin: retryFailures(twin, space) };
    // The dispatch that it makes up is random: the twin takes over the server's.
    const { rows } = await sql<{ id: string; dispatchId: string }>`
      SELECT item_id AS id, dispatch_id::text AS "dispatchId" FROM freshet.leases`.execute(server.db.kysely);
    for (const { id, dispatchId } of rows) {
      const lease = spaceOf(twin, space).leases.get(id);
      if (lease && !pair.dispatches.includes(dispatchId)) lease.dispatchId = dispatchId;
    }
    return answers;
  },
};

/** The operations to draw from; those without which a history gets nowhere stand often. */
export const WEIGHTED_NAMES: readonly string[] = Object.keys(OPERATIONS).flatMap(name => {
  const weight = {
    readRows: 5,
    writeResult: 6,
    writeResults: 3,
    leaseChangedRows: 5,
    leaseBehindCrowd: 2,
    leaseStaleSlice: 4,
    beginEmbedding: 4,
    removeOrphans: 8,
    writeReconcileCursor: 8,
    passThrice: 4,
  }[name];
  return Array.from({ length: weight ?? (name === 'retryFailures' ? 1 : 2) }, () => name);
});
