import type { FreshetError } from '../../core/errors.ts';
import type { ExclusionReason, Lane, Space } from '../../core/model.ts';
import { isUnanswered } from '../../core/pace.ts';
import { isForeignAnswer, mayBlameText } from '../../core/provider-failure-codes.ts';
import { invalidVector, judgeFailures } from '../failures.ts';
import type { MadeCall } from './call-provider.ts';
import { isInvalidReply } from './call-with-retries.ts';
import type { EmbedPorts } from './embed-ports.ts';
import { packCalls } from './fit-texts.ts';
import { RESIZE_CODE } from './keep-pace.ts';
import type { UniqueText } from './plan-rows.ts';
import {
  type CallAnswer,
  type Delivery,
  type ExtraRepetitions,
  openPurchaseCalls,
  PROBE_REQUEST,
  type PurchaseCalls,
} from './purchase-calls.ts';

/**
 * What became of one text.
 * `refused`: the provider refuses the text. `undelivered`: an outage left the text without a
 * vector. `too-long`: the text is over the provider's limit even when it is sent alone. `excluded`:
 * the model has no vector for the text though nothing failed.
 */
export type TextResult =
  | { readonly kind: 'vector'; readonly vector: Buffer }
  | { readonly kind: 'refused'; readonly code: string }
  | { readonly kind: 'undelivered'; readonly code: string }
  | { readonly kind: 'excluded'; readonly code: ExclusionReason }
  | { readonly kind: 'too-long' };

export interface Purchase {
  /** Results by position of the text. A text whose position is missing was not decided. */
  readonly results: ReadonlyMap<number, TextResult>;
  readonly calls: readonly MadeCall[];
  /** Why the purchase ended before every text was decided. */
  readonly ended: FreshetError | undefined;
  /** Texts of the call that ended the purchase without an answer; 0: another reason ended it. */
  readonly unansweredTexts: number;
}

interface Buying {
  readonly texts: readonly UniqueText[];
  readonly results: Map<number, TextResult>;
  readonly calls: PurchaseCalls;
  readonly pending: TextGroup[];
  readonly redelivered: boolean;
  /** A text was accepted lately; where none was, a refusal may be about the configuration. */
  proven: boolean;
  ended: FreshetError | undefined;
  unansweredTexts: number;
}

interface TextGroup {
  readonly positions: readonly number[];
  /**
   * Whether vectors of the group came back unusable once.
   * `all`: all vectors of one call were unusable. `some`: others of the call were usable.
   */
  readonly unusable: 'none' | 'some' | 'all';
  /** True: the group was made from another group, so that its calls are extra calls. */
  readonly extra: boolean;
  /** A doubtful answer that only a text of this group can have caused, unless it is explained. */
  readonly doubt?: Doubt | undefined;
  /** The doubt of the other half, which a failure of this half explains. */
  readonly explains?: Doubt | undefined;
}

/** An answer to a call that blames no text, such as a 500, while others are embedded. */
interface Doubt {
  readonly failure: FreshetError;
  explained: boolean;
}

/**
 * Buys the vectors of texts, and returns what was decided and what was bought.
 * The purchase packs texts into calls and takes refused batches apart. When something ends the
 * purchase early, everything that was bought is kept. Failures of the provider are in the result.
 * @throws FreshetError where the database fails.
 */
export async function buyVectors(
  ports: EmbedPorts,
  space: Space,
  lane: Lane,
  texts: readonly UniqueText[],
  remainingMs: () => number,
  delivery: Delivery = {},
): Promise<Purchase> {
  const plain = texts.map(({ text }) => text);
  const packs = await packCalls(ports, space, plain, ports.limits.batchSize);
  const calls = openPurchaseCalls(ports, space, lane, texts.length, remainingMs, delivery);
  const buying: Buying = {
    texts,
    results: new Map(),
    calls,
    pending: packs.map(positions => ({ positions, unusable: 'none', extra: false })),
    redelivered: delivery.redelivered === true,
    proven: false,
    ended: undefined,
    unansweredTexts: 0,
  };
  for (let group = buying.pending.shift(); group && !buying.ended; group = buying.pending.shift()) {
    await buyGroup(buying, group);
  }
  const { results, ended, unansweredTexts } = buying;
  if (ended && results.size === 0) await calls.keepFailure(ended);
  return { results, calls: calls.made, ended, unansweredTexts };
}

/** Keeps of a group what one call may carry now; the rest is bought afterwards. */
async function keepPace({ calls, pending }: Buying, group: TextGroup): Promise<TextGroup> {
  const texts = await calls.fit(group.positions.length);
  if (texts >= group.positions.length) return group;
  pending.unshift({ ...group, positions: group.positions.slice(texts) });
  return { ...group, positions: group.positions.slice(0, texts) };
}

async function buyGroup(buying: Buying, whole: TextGroup): Promise<void> {
  const { calls, texts: allTexts } = buying;
  const group = await keepPace(buying, whole);
  if (isSuspect(group) && !(await proveConfiguration(buying, group.doubt.failure))) return;
  if (group.extra && !charge(buying)) return;
  const texts = group.positions.map(position => allTexts[position]).filter(text => text !== undefined);
  const request = {
    texts: texts.map(({ text }) => text),
    ids: texts.flatMap(({ rows }) => rows.map(({ reading }) => reading.id)),
  };
  const { vectors, excluded, failure, isCutShort, othersSucceeded } = group.extra
    ? { ...(await calls.extra(request, boundRepetitions(buying, group))), othersSucceeded: false }
    : await calls.first(request);
  if (vectors) return keepVectors(buying, group, vectors, excluded);
  if (!failure) return;
  if (failure.code === RESIZE_CODE) return void buying.pending.unshift(group);
  // One text alone that had all its time is doubted: the server may break at it each time.
  if (isUnanswered(failure.code) && (group.positions.length > 1 || isCutShort === true))
    return endOrShrink(buying, group, failure);
  if (group.explains) group.explains.explained = true;
  if (mayBlameText(failure.code)) return doubtGroup(buying, group, failure, othersSucceeded);
  // What stands before the provider can begin to refuse everything: nothing is proven any longer.
  if (isForeignAnswer(failure.code)) buying.proven = false;
  if (failure.code === 'wrong_dimensions' && group.unusable !== 'none' && buying.proven) {
    // Other vectors showed that the model is the right one: only these texts come back wrong.
    if (group.positions.length > 1) return takeApart(buying, group);
    return decideRefused(buying, group.positions, invalidVector());
  }
  if (failure.failureClass === 'too-large') {
    if (group.positions.length > 1) return takeApart(buying, group);
    await decideRefused(buying, group.positions, failure, { kind: 'too-long' });
  } else if (failure.failureClass === 'item' || isInvalidReply(failure.code)) {
    if (group.positions.length > 1) return takeApart(buying, group);
    await decideRefused(buying, group.positions, failure);
  } else buying.ended = failure;
}

/** Buys the texts of a call without an answer again, by smaller calls, or ends the purchase. */
function endOrShrink(buying: Buying, group: TextGroup, failure: FreshetError): void {
  if (group.positions.length > 1 && buying.calls.shrink()) return void buying.pending.unshift(group);
  buying.ended = failure;
  buying.unansweredTexts = group.positions.length;
}

async function keepVectors(
  buying: Buying,
  group: TextGroup,
  vectors: readonly (Buffer | null)[],
  excluded: ReadonlyMap<number, ExclusionReason> = new Map(),
): Promise<void> {
  const invalid: number[] = [];
  for (const [index, position] of group.positions.entries()) {
    const vector = vectors[index];
    const code = excluded.get(index);
    if (code !== undefined) buying.results.set(position, { kind: 'excluded', code });
    else if (!vector) invalid.push(position);
    else {
      buying.results.set(position, { kind: 'vector', vector });
      buying.proven = true;
    }
  }
  if (invalid.length === 0) return;
  const all = invalid.length === group.positions.length - excluded.size && invalid.length > 1;
  if (group.unusable === 'none') {
    // None of several vectors was usable: what other calls showed before is in doubt.
    if (all) buying.proven = false;
    buying.pending.unshift({ positions: invalid, unusable: all ? 'all' : 'some', extra: true });
  } else if (all && group.unusable === 'all') {
    if (await proveConfiguration(buying, invalidVector())) takeApart(buying, group);
  } else await decideRefused(buying, invalid, invalidVector());
}

/**
 * Decides texts as refused, once something proves the configuration.
 * A refusal is a verdict only where another text was accepted. Otherwise one probe decides between
 * the text and the configuration.
 */
async function decideRefused(
  buying: Buying,
  positions: readonly number[],
  failure: FreshetError,
  verdict: TextResult = { kind: 'refused', code: failure.code },
): Promise<void> {
  if (!(await proveConfiguration(buying, failure))) return;
  for (const position of positions) buying.results.set(position, verdict);
}

/**
 * Proves that the configuration works, by an accepted text or a probe; false: it may not.
 * The probe text has nothing to do with the refused text. When both fail alike, the configuration
 * is at fault and the purchase ends.
 */
async function proveConfiguration(buying: Buying, failure: FreshetError): Promise<boolean> {
  if (buying.proven) return true;
  if (!charge(buying)) return false;
  const retriesDoubtfulAnswer = mayBlameText(failure.code) ? 0 : Number.POSITIVE_INFINITY;
  const repetitions = { retriesInvalidReply: 1, retriesDoubtfulAnswer };
  return judgeProbe(buying, failure, await buying.calls.extra(PROBE_REQUEST, repetitions));
}

/** Ends the purchase where the probe failed too, by what is at fault then. */
function judgeProbe(buying: Buying, failure: FreshetError, probe: CallAnswer): boolean {
  const probeFailure = probe.failure ?? (probe.vectors?.[0] ? undefined : invalidVector());
  buying.proven = probeFailure === undefined;
  if (probeFailure) buying.ended = judgeFailures(failure, probeFailure);
  return buying.proven;
}

/**
 * Doubts the texts of a call whose answer blames none of them, such as a 500.
 * Nothing is taken apart before the provider is seen to work: other calls succeeded meanwhile, or,
 * once the texts come again, a harmless text is embedded. Until then it may be an outage.
 * One text is decided only where it fails alone, another text or the probe is embedded, and it
 * fails again. The earlier failure may be that of a larger group, where nothing else in that group
 * can explain it.
 */
async function doubtGroup(
  buying: Buying,
  group: TextGroup,
  failure: FreshetError,
  othersSucceeded: boolean,
): Promise<void> {
  if (isSuspect(group) && buying.proven) {
    // A server that is about to fail stops answering first: what it did before proves nothing.
    buying.proven = ![failure, group.doubt.failure].some(({ code }) => isUnanswered(code));
    if (await proveConfiguration(buying, failure))
      buying.results.set(group.positions[0] ?? -1, { kind: 'refused', code: failure.code });
    return;
  }
  buying.proven = othersSucceeded;
  const isPart = group.doubt !== undefined || group.explains !== undefined;
  if (!isPart && !othersSucceeded) {
    // What would stop the model, or is not known, is told from one text's fault at once.
    if (group.extra) await proveConfiguration(buying, failure);
    else if (buying.redelivered || failure.failureClass !== 'transient')
      judgeProbe(buying, failure, await buying.calls.lastTry());
    else buying.ended = failure;
    if (buying.ended) return;
  }
  if (group.positions.length > 1) return takeApart(buying, group, failure);
  // What is embedded next, if it is, shows that the provider works.
  const again = { ...group, extra: true, doubt: { failure, explained: false } };
  buying.pending.splice(buying.proven ? 0 : 1, 0, again);
}

/** Whether a group is one text that a doubtful answer points at. */
function isSuspect(group: TextGroup): group is TextGroup & { readonly doubt: Doubt } {
  return group.positions.length === 1 && group.doubt !== undefined && !group.doubt.explained;
}

/**
 * Bounds the repetitions of an extra call.
 * An answer that is no refusal is asked for again only where it decides a text, and a doubtful one
 * only where the groups that wait have their calls.
 */
function boundRepetitions({ proven, calls, pending }: Buying, group: TextGroup): ExtraRepetitions {
  const decides = group.positions.length === 1 && proven;
  const spare = Math.max(0, Math.min(1, calls.extraLeft() - pending.length));
  return { retriesInvalidReply: decides ? 1 : 0, retriesDoubtfulAnswer: isSuspect(group) ? spare : 0 };
}

/**
 * Splits a group in two, which are bought next.
 * Where a doubtful answer split the group and the first half is embedded, the answer was about the
 * second half.
 */
function takeApart(buying: Buying, { positions, unusable }: TextGroup, failure?: FreshetError): void {
  const half = Math.ceil(positions.length / 2);
  const doubt = failure && { failure, explained: false };
  buying.pending.unshift(
    { positions: positions.slice(0, half), unusable, extra: true, explains: doubt },
    { positions: positions.slice(half), unusable, extra: true, doubt },
  );
}

function charge(buying: Buying): boolean {
  buying.ended ??= buying.calls.charge();
  return buying.ended === undefined;
}
