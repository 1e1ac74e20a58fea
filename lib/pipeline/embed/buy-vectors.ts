import { FreshetError } from '../../core/errors/freshet-error.ts';
import type { Space } from '../../core/model/space.ts';
import type { Lane } from '../../core/model/vocabulary.ts';
import { packTexts } from '../../core/packing/pack-texts.ts';
import { PROBE_TEXT } from '../probe-text.ts';
import type { CallRecord } from './call-provider.ts';
import { callWithRetries, isInvalidReply } from './call-with-retries.ts';
import type { EmbedPorts } from './embed-ports.ts';
import { measureTexts } from './measure-texts.ts';
import type { UniqueText } from './plan-batch.ts';

export type TextResult =
  | { readonly kind: 'vector'; readonly vector: Buffer }
  | { readonly kind: 'refused'; readonly code: string }
  | { readonly kind: 'undelivered'; readonly code: string }
  | { readonly kind: 'too-long' };

export interface Purchase {
  /** By position of the text; those that are missing were not decided. */
  readonly results: ReadonlyMap<number, TextResult>;
  readonly calls: readonly CallRecord[];
  /** Why it ended before every text was decided. */
  readonly ended: FreshetError | undefined;
}

/** A hundred texts with one culprit take 14 calls to halve down to it, and one to tell it from a wrong configuration. */
const EXTRA_CALLS_PER_HUNDRED = 15;
interface Buying {
  readonly ports: EmbedPorts;
  readonly space: Space;
  readonly lane: Lane;
  readonly texts: readonly UniqueText[];
  readonly remainingMs: () => number;
  readonly results: Map<number, TextResult>;
  readonly calls: CallRecord[];
  readonly pending: Group[];
  extraCallsLeft: number;
  /** Something succeeded, so that a refusal is about a text and not about the configuration. */
  proven: boolean;
  ended: FreshetError | undefined;
}

interface Group {
  readonly positions: readonly number[];
  /** Its vectors came back unusable once. */
  readonly again: boolean;
  /** Made by taking another group apart. */
  readonly extra: boolean;
}

/** Packs, calls, takes refused batches apart, and keeps whatever was bought when something ends it early. */
export async function buyVectors(
  ports: EmbedPorts,
  space: Space,
  lane: Lane,
  texts: readonly UniqueText[],
  remainingMs: () => number,
): Promise<Purchase> {
  const packs =
    texts.length === 0
      ? []
      : packTexts(
          await measureTexts(ports, space, texts),
          ports.providers(space.model.alias).limits,
          ports.limits.batchSize,
        );
  const buying: Buying = {
    ports,
    space,
    lane,
    texts,
    remainingMs,
    results: new Map(),
    calls: [],
    pending: packs.map(positions => ({ positions, again: false, extra: false })),
    extraCallsLeft: Math.max(1, Math.ceil(texts.length / 100)) * EXTRA_CALLS_PER_HUNDRED,
    proven: false,
    ended: undefined,
  };
  for (let group = buying.pending.shift(); group && !buying.ended; group = buying.pending.shift()) {
    await buyGroup(buying, group);
  }
  return { results: buying.results, calls: buying.calls, ended: buying.ended };
}

async function buyGroup(buying: Buying, group: Group): Promise<void> {
  if (group.extra && !spendExtraCall(buying)) return;
  const texts = group.positions.map(position => buying.texts[position]).filter(text => text !== undefined);
  const { vectors, failure } = await call(buying, {
    texts: texts.map(({ text }) => text),
    items: texts.reduce((sum, { rows }) => sum + rows.length, 0),
  });
  if (vectors) return keepVectors(buying, group, vectors);
  if (!failure) return;
  if (failure.code === 'wrong_dimensions' && group.again && buying.proven) {
    // The model is the right one, as its other vectors showed: only these texts come back wrong.
    if (group.positions.length > 1) return takeApart(buying, group);
    return refuse(buying, group.positions, invalidVector());
  }
  if (failure.failureClass === 'too-large') {
    if (group.positions.length > 1) return takeApart(buying, group);
    await refuse(buying, group.positions, failure, { kind: 'too-long' });
  } else if (failure.failureClass === 'item' || isInvalidReply(failure.code)) {
    if (group.positions.length > 1) return takeApart(buying, group);
    await refuse(buying, group.positions, failure);
  } else buying.ended = failure;
}

async function keepVectors(buying: Buying, group: Group, vectors: readonly (Buffer | null)[]): Promise<void> {
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
  if (!group.again) {
    buying.pending.unshift({ positions: invalid, again: true, extra: true });
    return;
  }
  await refuse(buying, invalid, invalidVector());
}

/** A refusal is a verdict only where something else was accepted: else one probe decides between the text and the configuration. */
async function refuse(
  buying: Buying,
  positions: readonly number[],
  failure: FreshetError,
  verdict: TextResult = { kind: 'refused', code: failure.code },
): Promise<void> {
  if (!buying.proven) {
    if (!spendExtraCall(buying)) return;
    const probe = await call(buying, { texts: [PROBE_TEXT], items: 0 });
    const probeFailure = probe.failure ?? (probe.vectors?.[0] ? undefined : invalidVector());
    if (probeFailure) {
      const alike = probeFailure.code === failure.code;
      buying.ended = alike ? asConfigurationFault(failure) : probeFailure;
      return;
    }
    buying.proven = true;
  }
  for (const position of positions) buying.results.set(position, verdict);
}

function takeApart(buying: Buying, { positions, again }: Group): void {
  const half = Math.ceil(positions.length / 2);
  buying.pending.unshift(
    { positions: positions.slice(0, half), again, extra: true },
    { positions: positions.slice(half), again, extra: true },
  );
}

async function call(buying: Buying, request: { readonly texts: readonly string[]; readonly items: number }) {
  const { ports, space, lane, remainingMs } = buying;
  const { records, result } = await callWithRetries(ports, { space, lane, ...request }, remainingMs);
  buying.calls.push(...records);
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
  return new FreshetError(
    `The provider refuses every text alike (${code}): check the model and its parameters in the configuration.`,
    { failureClass: 'stop', code, requestId },
  );
}
