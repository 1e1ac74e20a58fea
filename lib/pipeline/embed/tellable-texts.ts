import type { Pace } from '../../core/pace.ts';
import type { EmbeddingProvider } from '../../ports/provider.ts';
import { estimateCallTokens, type TextsOfCall } from './fit-texts.ts';

/** A reply that does not say which vector belongs to which text of its call. */
export interface MisshapenReply {
  readonly answered: number;
  /** Texts of a call that the server tells apart; undefined: the reply may be one text's fault. */
  readonly tellable: number | undefined;
}

/** What a provider may limit of one call. */
interface CallSize {
  readonly texts: number;
  readonly tokens: number;
}

/** What one process knows of the replies of a server. */
interface KnownReplies {
  limit?: { readonly texts: number; readonly untilMs: number };
  /** The largest call that was answered lately. */
  largest?: CallSize & { readonly atMs: number };
  /** The last reply with fewer vectors than texts. */
  short?: { readonly answered: number; readonly texts: readonly string[] };
  /** The most texts that the last call answered rightly might have carried. */
  told?: number;
}

/**
 * Milliseconds for which a process asks a server for no more texts than it tells apart.
 * Then a call of more is worth a try: the server may be mended.
 */
const TELLABLE_MS = 600_000;

const replies = new WeakMap<EmbeddingProvider, KnownReplies>();

/**
 * Learns from a misshapen reply how many texts of a call the server tells apart.
 * A reply that lacks a few vectors may be about one of its texts. Where two calls of other texts
 * lack a quarter at least and are answered by as many vectors, the server answers no more. Nor does
 * it where several vectors lack, and there are as many as calls were kept to before: so a worker
 * learns by one call what the worker learned that kept them so small.
 * @returns undefined where the reply teaches nothing
 */
export function learnTellable(
  provider: EmbeddingProvider,
  texts: readonly string[],
  { answered, tellable }: MisshapenReply,
  nowMs: number,
): number | undefined {
  const known = replies.get(provider) ?? {};
  replies.set(provider, known);
  const { short } = known;
  known.short = { answered, texts };
  const isSameAgain = short !== undefined && short.answered === answered && short.texts !== texts;
  const isShort = answered > 0 && answered <= 0.75 * texts.length;
  const isAsBefore = answered === known.told && texts.length - answered > 1;
  const limit = tellable ?? (isAsBefore || (isSameAgain && isShort) ? answered : undefined);
  if (limit !== undefined) limitTexts(provider, limit, nowMs);
  return limit;
}

/** Notes that a call was answered rightly, which might have carried so many texts. */
export function noteTold(provider: EmbeddingProvider, mostTexts: number): void {
  const known = replies.get(provider) ?? {};
  known.told = mostTexts;
  replies.set(provider, known);
}

/** Keeps the calls of this process at so many texts, for a while. */
export function limitTexts(provider: EmbeddingProvider, texts: number, nowMs: number): void {
  const known = replies.get(provider) ?? {};
  known.limit = { texts, untilMs: nowMs + TELLABLE_MS };
  replies.set(provider, known);
}

/** Whether the server was seen to take no larger calls lately. */
export function hasTextLimit(provider: EmbeddingProvider, nowMs: number): boolean {
  return nowMs < (replies.get(provider)?.limit?.untilMs ?? Number.NEGATIVE_INFINITY);
}

const sizeOf = (call: TextsOfCall): CallSize => ({
  texts: call.texts.length,
  tokens: estimateCallTokens(call),
});

/** Remembers for a while that a call of this size was answered. */
export function noteAnswered(provider: EmbeddingProvider, call: TextsOfCall, nowMs: number): void {
  const known = replies.get(provider) ?? {};
  replies.set(provider, known);
  const { largest } = known;
  const size = sizeOf(call);
  const isOld = largest === undefined || nowMs - largest.atMs >= TELLABLE_MS;
  const isLarger = !isOld && size.texts >= largest.texts && size.tokens >= largest.tokens;
  if (isOld || isLarger) known.largest = { ...size, atMs: nowMs };
}

/**
 * Whether a call of this size was answered lately: then no refusal is about the size.
 * Near the end of a provider's window what is left does for a harmless text and for no whole call.
 * Told apart by a probe alone, calls would shrink to one text.
 */
export function wasAnsweredLately(provider: EmbeddingProvider, call: TextsOfCall, nowMs: number): boolean {
  const largest = replies.get(provider)?.largest;
  if (largest === undefined || nowMs - largest.atMs >= TELLABLE_MS) return false;
  const size = sizeOf(call);
  return size.texts <= largest.texts && size.tokens <= largest.tokens;
}

/** Keeps calls as small as the replies of the server need them, however quick these are. */
export function keepTellable(provider: EmbeddingProvider, pace: Pace, nowMs: number): Pace {
  const limit = replies.get(provider)?.limit;
  if (limit === undefined || nowMs >= limit.untilMs) return pace;
  return { ...pace, textsPerCall: Math.min(limit.texts, pace.textsPerCall ?? Number.POSITIVE_INFINITY) };
}
