import { FreshetError } from '../../core/errors.ts';
import type { Lane, Space } from '../../core/model.ts';
import { isForeignAnswer } from '../../core/provider-failure-codes.ts';
import { PROBE_TEXT } from '../failures.ts';
import type { MadeCall } from './call-provider.ts';
import { callWithRetries, isInvalidReply, type RetryBounds } from './call-with-retries.ts';
import type { EmbedPorts } from './embed-ports.ts';
import { packCalls } from './fit-texts.ts';
import type { UniqueText } from './plan-rows.ts';

/**
 * What became of one text.
 * `refused`: the provider refuses the text. `undelivered`: an outage left the text without a
 * vector. `too-long`: the text is over the provider's limit even when it is sent alone.
 */
export type TextResult =
  | { readonly kind: 'vector'; readonly vector: Buffer }
  | { readonly kind: 'refused'; readonly code: string }
  | { readonly kind: 'undelivered'; readonly code: string }
  | { readonly kind: 'too-long' };

export interface Purchase {
  /** Results by position of the text. A text whose position is missing was not decided. */
  readonly results: ReadonlyMap<number, TextResult>;
  readonly calls: readonly MadeCall[];
  /** Why the purchase ended before every text was decided. */
  readonly ended: FreshetError | undefined;
}

/**
 * Extra calls that a batch may make for every hundred texts.
 * A hundred texts with one culprit take 14 calls to halve down to the culprit, and one call to tell
 * it from a wrong configuration. Repeated calls count too. The rest of a batch is delivered again
 * with a budget of the same size.
 */
const EXTRA_CALLS_PER_HUNDRED = 15;

interface Buying {
  readonly ports: EmbedPorts;
  readonly space: Space;
  readonly lane: Lane;
  readonly texts: readonly UniqueText[];
  readonly remainingMs: () => number;
  readonly results: Map<number, TextResult>;
  readonly calls: MadeCall[];
  readonly pending: TextGroup[];
  extraCallsLeft: number;
  /**
   * True: a text was accepted lately, so that a refusal is about a text.
   * False: a refusal may be about the configuration.
   */
  proven: boolean;
  ended: FreshetError | undefined;
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
): Promise<Purchase> {
  const plain = texts.map(({ text }) => text);
  const packs = await packCalls(ports, space, plain, ports.limits.batchSize);
  const buying: Buying = {
    ports,
    space,
    lane,
    texts,
    remainingMs,
    results: new Map(),
    calls: [],
    pending: packs.map(positions => ({ positions, unusable: 'none', extra: false })),
    extraCallsLeft: Math.max(1, Math.ceil(texts.length / 100)) * EXTRA_CALLS_PER_HUNDRED,
    proven: false,
    ended: undefined,
  };
  for (let group = buying.pending.shift(); group && !buying.ended; group = buying.pending.shift()) {
    await buyGroup(buying, group);
  }
  return { results: buying.results, calls: buying.calls, ended: buying.ended };
}

async function buyGroup(buying: Buying, group: TextGroup): Promise<void> {
  if (group.extra && !spendExtraCall(buying)) return;
  const texts = group.positions.map(position => buying.texts[position]).filter(text => text !== undefined);
  const request = {
    texts: texts.map(({ text }) => text),
    rows: texts.reduce((sum, { rows }) => sum + rows.length, 0),
  };
  // A reply of the wrong shape is asked for again only where the reply decides a text.
  const decides = texts.length === 1 && buying.proven;
  const { vectors, failure } = group.extra
    ? await callExtra(buying, request, decides ? 1 : 0)
    : await call(buying, request);
  if (vectors) return keepVectors(buying, group, vectors);
  if (!failure) return;
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

async function keepVectors(
  buying: Buying,
  group: TextGroup,
  vectors: readonly (Buffer | null)[],
): Promise<void> {
  const invalid: number[] = [];
  for (const [index, position] of group.positions.entries()) {
    const vector = vectors[index];
    if (!vector) invalid.push(position);
    else {
      buying.results.set(position, { kind: 'vector', vector });
      buying.proven = true;
    }
  }
  if (invalid.length === 0) return;
  const all = invalid.length === group.positions.length && invalid.length > 1;
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
  if (!spendExtraCall(buying)) return false;
  const probe = await callExtra(buying, { texts: [PROBE_TEXT], rows: 0 }, 1);
  const probeFailure = probe.failure ?? (probe.vectors?.[0] ? undefined : invalidVector());
  if (probeFailure) {
    const alike =
      probeFailure.code === failure.code ||
      (isForeignAnswer(probeFailure.code) && isForeignAnswer(failure.code));
    buying.ended = alike ? asConfigurationFault(failure) : probeFailure;
    return false;
  }
  buying.proven = true;
  return true;
}

function takeApart(buying: Buying, { positions, unusable }: TextGroup): void {
  const half = Math.ceil(positions.length / 2);
  buying.pending.unshift(
    { positions: positions.slice(0, half), unusable, extra: true },
    { positions: positions.slice(half), unusable, extra: true },
  );
}

interface TextsToBuy {
  readonly texts: readonly string[];
  readonly rows: number;
}

async function call(buying: Buying, request: TextsToBuy, bounds?: RetryBounds) {
  const { ports, space, lane, remainingMs } = buying;
  const { calls, result } = await callWithRetries(ports, { space, lane, ...request }, remainingMs, bounds);
  buying.calls.push(...calls);
  return result;
}

/**
 * Makes an extra call, and charges its repetitions to the budget of extra calls.
 * The call itself was charged before.
 */
async function callExtra(buying: Buying, request: TextsToBuy, retriesInvalidReply: number) {
  const madeBefore = buying.calls.length;
  const bounds = { retries: buying.extraCallsLeft, retriesInvalidReply };
  const result = await call(buying, request, bounds);
  buying.extraCallsLeft -= Math.max(0, buying.calls.length - madeBefore - 1);
  return result;
}

function spendExtraCall(buying: Buying): boolean {
  if (buying.extraCallsLeft <= 0) {
    buying.ended = new FreshetError(
      'The batch used up its extra calls; the rest of its rows are sent again.',
      {
        failureClass: 'transient',
        code: 'call_budget',
      },
    );
    return false;
  }
  buying.extraCallsLeft -= 1;
  return true;
}

function invalidVector(): FreshetError {
  return new FreshetError('The provider answered a vector that cannot be stored.', {
    failureClass: 'item',
    code: 'invalid_vector',
  });
}

function asConfigurationFault({ code, requestId }: FreshetError): FreshetError {
  const sentence = isForeignAnswer(code)
    ? `Something before the provider, such as a firewall or a proxy, refuses every text (${code}): ` +
      'check the address (baseUrl), and ask whoever runs it to let the calls pass.'
    : `The provider refuses every text alike (${code}): ` +
      'check the model and its parameters in the configuration.';
  return new FreshetError(sentence, { failureClass: 'stop', code, requestId });
}
