import { FreshetError } from '../../lib/core/errors.ts';
import type { FailureClass } from '../../lib/core/model.ts';
import type { BatchLine, BatchProvider, BatchStanding, BatchText } from '../../lib/ports/batches.ts';
import { DIMENSIONS, vectorOf } from '../doubles/scripted-provider.ts';
import { callPort } from './call-port.ts';
import { noteBilled } from './check-caps.ts';
import { checkPurchase, notePurchase } from './check-purchases.ts';
import { NO_FAULTS } from './fault-plan.ts';
import type { Invocation } from './invocation.ts';
import { createRandom } from './random.ts';
import { TOKENS_PER_TEXT, USD_PER_TOKEN } from './simulated-provider.ts';
import { isRefused, isUnknown } from './texts.ts';
import type { World } from './world.ts';

/** A batch as the service has it. */
export interface ServedBatch {
  readonly id: string;
  /** Ours, which it carries as metadata. */
  readonly batchId: string;
  readonly spaceId: number;
  readonly texts: readonly BatchText[];
  /** `never`: it is at work until the calm, whatever anybody asks. */
  readonly end: 'completed' | 'expired' | 'cancelled' | 'failed' | 'never';
  /** Why it fails as a whole. */
  readonly code: string;
  /** No list shows it before. */
  readonly listedAtMs: number;
  state: BatchStanding['state'];
  billedTexts: number;
  /** The file of its results, named from `shownAtMs` on. */
  resultFileId: string | undefined;
  shownAtMs: number;
  /** It says that it embedded more than its file holds. */
  readonly boasts: boolean;
}

/** What the batch service holds: it outlives any process. */
export interface BatchService {
  readonly batches: Map<string, ServedBatch>;
  readonly uploads: Map<string, { readonly batchId: string; readonly texts: readonly BatchText[] }>;
  readonly results: Map<string, readonly BatchLine[]>;
}

const BATCH_PRICE_SHARE = 0.5;
const MINUTE_MS = 60_000;
const LONGEST_BATCH_MS = 15 * MINUTE_MS;
/** What is at work until the calm ends within so long: later than any deadline. */
const LATEST_END_MS = 12 * 60 * MINUTE_MS;
const LONGEST_LAG_MS = 5 * MINUTE_MS;
const LONGEST_HIDDEN_MS = 20 * MINUTE_MS;
const ENDS = ['completed', 'completed', 'completed', 'expired', 'cancelled', 'failed', 'never'] as const;

/** How a model's bulk texts are bought by batch, in one seed of eight; undefined: they are not. */
export function drawBatchTerms(seed: number) {
  if (seed % 8 !== 6) return undefined;
  const random = createRandom(seed + 1);
  return {
    deadlineHours: random.pick([0.2, 1]),
    maxTexts: random.pick([2, 5]),
    maxEnqueuedTokens: random.pick([10, 1_000]),
  };
}

/** The batch service of a model, each request a point where anything may happen. */
export function createBatchProvider(world: World, current: () => Invocation): BatchProvider {
  const { batches: service } = world.services;
  const call = <Value>(name: string, effect: () => Value) =>
    callPort(world, current(), `batch ${name}`, 'provider', () => {
      refuseSome(world);
      return effect();
    });
  const find = (id: string): ServedBatch => {
    const batch = service.batches.get(id);
    if (batch === undefined) throw failure('item', 'http_404');
    return batch;
  };
  return {
    limits: { maxTexts: 50_000, maxBytes: 100_000_000 },
    upload: (batchId, texts) =>
      call('upload', () => {
        current().grantedCallId = undefined;
        if (!world.twin.grants.has(batchId)) world.violate('granted-first', `batch ${batchId} has no grant`);
        const fileId = world.newIdentifier();
        service.uploads.set(fileId, { batchId, texts });
        return fileId;
      }),
    create: (batchId, fileId) => call('create', () => createBatch(world, current(), batchId, fileId).id),
    find: batchId =>
      call('find', () => {
        const isListed = (batch: ServedBatch) =>
          batch.batchId === batchId && batch.listedAtMs <= world.scheduler.nowMs();
        return [...service.batches.values()].find(isListed)?.id;
      }),
    findFiles: batchId =>
      call('find files', () =>
        [...service.uploads].flatMap(([fileId, upload]) => (upload.batchId === batchId ? [fileId] : [])),
      ),
    poll: id => call('poll', () => describeStanding(world, find(id))),
    cancel: id =>
      call('cancel', () => {
        const batch = find(id);
        if (batch.end === 'never') return;
        world.scheduler.after(world.random.below(MINUTE_MS), () => endBatch(world, batch, 'cancelled'));
      }),
    async *readLines(fileId) {
      const lines = await call('read', () => {
        const found = service.results.get(fileId);
        if (found === undefined) throw failure('item', 'http_404');
        return found;
      });
      const isCut = world.random.chance(world.faults.outage);
      yield* isCut ? lines.slice(0, lines.length / 2) : lines;
      if (isCut) throw failure('transient', 'reply_truncated');
    },
    removeFile: fileId =>
      call('remove', () => {
        service.uploads.delete(fileId);
        service.results.delete(fileId);
      }),
  };
}

/** A gateway before the service, or a key that is refused. */
function refuseSome({ random, faults }: World): void {
  if (random.chance(faults.throttled)) throw failure('throttled', 'rate_limit', random.below(150_000));
  if (random.chance(faults.outage)) throw failure('transient', 'http_502');
  if (random.chance(faults.keyRevoked)) throw failure('stop', 'insufficient_quota');
}

function createBatch(world: World, invocation: Invocation, batchId: string, fileId: string): ServedBatch {
  const { random, services, scheduler, twin } = world;
  const upload = services.batches.uploads.get(fileId);
  const spaceId = twin.batches.get(batchId)?.spaceId;
  if (upload === undefined || spaceId === undefined) throw failure('item', 'http_400');
  const texts = upload.texts.map(({ text }) => text);
  services.providerCalls += 1;
  checkPurchase(world, invocation, spaceId, texts, false);
  checkOverlap(world, spaceId, upload.texts);
  const isHard = world.faults !== NO_FAULTS;
  const batch: ServedBatch = {
    ...{ id: world.newIdentifier(), batchId, spaceId, texts: upload.texts, state: 'running' },
    end: isHard ? random.pick(ENDS) : 'completed',
    code: random.pick(['token_limit_exceeded', 'invalid_json_line']),
    listedAtMs: scheduler.nowMs() + (isHard && random.chance(0.3) ? random.below(LONGEST_LAG_MS) : 0),
    ...{ billedTexts: 0, resultFileId: undefined, shownAtMs: 0, boasts: isHard && random.chance(0.1) },
  };
  services.batches.batches.set(batch.id, batch);
  const { end } = batch;
  if (end !== 'never') scheduler.after(random.below(LONGEST_BATCH_MS), () => endBatch(world, batch, end));
  return batch;
}

/** No text stands in two batches at work, unless the first of them was given up as late. */
function checkOverlap(world: World, spaceId: number, texts: readonly BatchText[]): void {
  for (const batch of world.services.batches.batches.values()) {
    const isGivenUp = world.twin.batches.get(batch.batchId)?.isReleased ?? false;
    if (batch.state !== 'running' || batch.spaceId !== spaceId || isGivenUp) continue;
    const twice = texts.find(({ contentHash }) => batch.texts.some(text => text.contentHash === contentHash));
    if (twice) world.violate('bought-once', `"${twice.text}" stands in two batches of space ${spaceId}`);
  }
}

/** The calm: what would never end comes late, after its deadline or not. */
export function endAllBatches(world: World): void {
  for (const batch of world.services.batches.batches.values()) {
    if (batch.end !== 'never') continue;
    const end = world.random.pick(['completed', 'expired', 'cancelled'] as const);
    world.scheduler.after(world.random.below(LATEST_END_MS), () => endBatch(world, batch, end));
  }
}

function endBatch(world: World, batch: ServedBatch, end: Exclude<ServedBatch['end'], 'never'>): void {
  if (batch.state !== 'running') return;
  const { random, services, scheduler } = world;
  batch.state = end;
  world.trace.event(`batch is ${end}`, 0, () => batch.batchId);
  if (end === 'failed') return;
  const isHard = world.plan !== NO_FAULTS;
  const lines = batch.texts.flatMap(text => answerText(world, batch, text, isHard, end));
  const doubled = isHard && random.chance(0.3) ? [...lines, ...lines] : lines;
  batch.resultFileId = world.newIdentifier();
  // Of a batch that embedded nothing nobody knows that a file is still to come.
  const isHidden = isHard && batch.billedTexts > 0 && random.chance(0.2);
  batch.shownAtMs = scheduler.nowMs() + (isHidden ? random.below(LONGEST_HIDDEN_MS) : 0);
  services.batches.results.set(batch.resultFileId, isHard ? random.shuffle(doubled) : doubled);
}

/** The lines of one text; what is embedded is billed whether anybody reads it or not. */
function answerText(
  world: World,
  batch: ServedBatch,
  { contentHash, text }: BatchText,
  isHard: boolean,
  end: ServedBatch['end'],
): BatchLine[] {
  const { random } = world;
  if (end !== 'completed' && random.chance(0.5)) return [];
  if (isRefused(text) || isUnknown(text)) return [{ contentHash, reply: undefined }];
  if (isHard && random.chance(0.1)) return random.chance(0.5) ? [] : [{ contentHash, reply: undefined }];
  batch.billedTexts += 1;
  notePurchase(world, batch.spaceId, contentHash);
  noteBilled(world, batch.batchId, TOKENS_PER_TEXT * USD_PER_TOKEN * BATCH_PRICE_SHARE);
  const isUseless = random.chance(world.faults.unusableVector);
  // Paid, and to be bought once more.
  if (isUseless) world.hardFaults += 1;
  const bytes = isUseless ? Buffer.alloc(DIMENSIONS * 4) : vectorOf(text);
  const reply = { items: [{ index: 0, bytes }], tokens: TOKENS_PER_TEXT, requestId: undefined };
  return [{ contentHash, reply }];
}

function describeStanding(world: World, batch: ServedBatch): BatchStanding {
  const { state, boasts, billedTexts, resultFileId, shownAtMs } = batch;
  if (state === 'running') return { state, resultFileIds: [] };
  if (state === 'failed') return { state, code: batch.code, completed: 0, resultFileIds: [] };
  const isShown = resultFileId !== undefined && shownAtMs <= world.scheduler.nowMs();
  const completed = billedTexts + (boasts ? 1 : 0);
  return { state, completed, resultFileIds: isShown ? [resultFileId] : [] };
}

/** What the ledger must come to for a batch. */
export const billedUsd = ({ billedTexts }: ServedBatch) =>
  billedTexts * TOKENS_PER_TEXT * USD_PER_TOKEN * BATCH_PRICE_SHARE;

function failure(failureClass: FailureClass, code: string, retryAfterMs?: number): FreshetError {
  return new FreshetError(`simulated ${code}`, { failureClass, code, retryAfterMs });
}
