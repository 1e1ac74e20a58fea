import { FreshetError } from '../../core/errors.ts';
import { refuseForFailure } from '../../core/service-refusal.ts';
import type { ServiceLane, ServiceObserver } from '../../ports/embedding-service.ts';
import type { Clock } from '../../ports/process.ts';
import { toFreshetError } from '../failures.ts';
import { describeCall, inSpan, type TracedPorts } from '../spans.ts';
import type { EmbedTexts } from './call-model.ts';
import { type QueueBounds, QueuePace, requireRoom } from './queue-pace.ts';
import type { CachedVector, VectorCache } from './vector-cache.ts';
import { type SizedText, type Waiter, type WaitingText, WaitingTexts } from './waiting-texts.ts';

interface QueuePorts extends TracedPorts {
  readonly embedTexts: EmbedTexts;
  readonly cache: VectorCache;
  readonly clock: Clock;
  readonly observer: ServiceObserver;
}

/** What one call of a queue takes, beside what bounds the queue. */
interface QueueLimits extends QueueBounds {
  readonly maxBytesPerCall: number;
}

/** Who waits for texts. */
interface Waiting {
  readonly lane: ServiceLane;
  readonly signal: AbortSignal;
  /** Where a text stands in the request: equal ones wait once. */
  readonly placeOf: (key: string) => number;
}

type ServedModel = Parameters<typeof describeCall>[0];

/**
 * The queue of one model: batches form while workers are busy, and an idle service adds no wait.
 * Whenever a worker is free it takes what fits one call, queries before documents. What nobody
 * waits for any more is taken out, and a call for which nobody waits any more is given up.
 */
export class EmbedQueue {
  readonly #ports: QueuePorts;
  readonly #model: ServedModel;
  readonly #limits: QueueLimits;
  readonly #waiting = new WaitingTexts();
  /** Texts in the queue and in calls, by their keys: equal ones are computed once. */
  readonly #underway = new Map<string, WaitingText>();
  readonly #pace = new QueuePace();
  #calls = 0;
  /** Tokens in calls. */
  #calledTokens = 0;

  constructor(ports: QueuePorts, model: ServedModel, limits: QueueLimits) {
    this.#ports = ports;
    this.#model = model;
    this.#limits = limits;
  }

  /**
   * Resolves with a vector for each text, or rejects as a whole.
   * @throws ServiceRefusal `rate_limited` where the queue is full: nothing of the request waits
   */
  async embed(
    texts: readonly SizedText[],
    lane: ServiceLane,
    signal: AbortSignal,
  ): Promise<readonly CachedVector[]> {
    signal.throwIfAborted();
    const found = texts.map(({ key }) => this.#ports.cache.get(key));
    const missing = new Map(
      texts.flatMap((text, position) => (found[position] === undefined ? [[text.key, text] as const] : [])),
    );
    const fresh = [...missing.values()].filter(({ key }) => !this.#underway.has(key));
    const ahead = { ...this.#waiting.aheadOf(lane), calledTokens: this.#calledTokens };
    requireRoom(this.#pace, this.#limits, ahead, { texts: fresh.length, tokens: sumTokens(fresh) });
    this.#ports.observer.looked(this.#model.alias, {
      hits: found.filter(vector => vector !== undefined).length,
      joined: missing.size - fresh.length,
      misses: fresh.length,
    });
    if (missing.size === 0) return found as CachedVector[];
    const placeOf = (key: string) => texts.findIndex(text => text.key === key);
    const computed = await this.#waitFor([...missing.values()], { lane, signal, placeOf });
    return texts.map(({ key }, position) => found[position] ?? computed.get(key)!);
  }

  /** Waits for texts, and leaves all of them when the client leaves or one of them fails. */
  #waitFor(
    texts: readonly SizedText[],
    { lane, signal, placeOf }: Waiting,
  ): Promise<ReadonlyMap<string, CachedVector>> {
    return new Promise((resolve, reject) => {
      const vectors = new Map<string, CachedVector>();
      const waits: { readonly text: WaitingText; readonly waiter: Waiter }[] = [];
      const leave = () => {
        signal.removeEventListener('abort', giveUp);
        this.#leave(waits);
      };
      const giveUp = () => {
        leave();
        reject(signal.reason);
      };
      signal.addEventListener('abort', giveUp, { once: true });
      for (const sized of texts) {
        const text = this.#join(sized, lane);
        const waiter: Waiter = {
          resolve: vector => {
            vectors.set(text.key, vector);
            if (vectors.size < texts.length) return;
            signal.removeEventListener('abort', giveUp);
            resolve(vectors);
          },
          reject: failure => {
            leave();
            reject(refuseForFailure(failure, placeOf(text.key)));
          },
        };
        text.waiters.add(waiter);
        waits.push({ text, waiter });
      }
      this.#changed();
      this.#startCalls();
    });
  }

  #join(sized: SizedText, lane: ServiceLane): WaitingText {
    const span = this.#ports.tracer?.current();
    const underway = this.#underway.get(sized.key);
    if (underway !== undefined) {
      if (lane === 'query') this.#waiting.promote(underway);
      if (span !== undefined) underway.spans.add(span);
      return underway;
    }
    const sinceMs = this.#ports.clock.now();
    const spans = new Set(span === undefined ? [] : [span]);
    const text: WaitingText = { ...sized, lane, sinceMs, waiters: new Set(), spans };
    this.#underway.set(text.key, text);
    this.#waiting.add(text);
    return text;
  }

  #leave(waits: readonly { readonly text: WaitingText; readonly waiter: Waiter }[]): void {
    let dropped = 0;
    for (const { text, waiter } of waits) {
      if (!text.waiters.delete(waiter) || text.waiters.size > 0) continue;
      if (this.#waiting.remove(text)) {
        this.#underway.delete(text.key);
        dropped += 1;
      } else if (text.call?.texts.every(({ waiters }) => waiters.size === 0)) {
        // Whoever asks for one of these texts from now on must not join a call that is given up.
        for (const each of text.call.texts) this.#forget(each);
        text.call.abort.abort();
      }
    }
    if (dropped > 0) this.#ports.observer.dropped(this.#model.alias, dropped);
    this.#changed();
  }

  #startCalls(): void {
    while (this.#calls < this.#limits.workers && this.#waiting.count > 0) {
      const batch = this.#waiting.takeBatch({
        maxTexts: this.#limits.maxTextsPerCall,
        maxTokens: this.#limits.maxTokensPerCall,
        maxBytes: this.#limits.maxBytesPerCall,
      });
      const { clock } = this.#ports;
      const tokens = sumTokens(batch);
      const call = { tokens, startedMs: clock.now(), wasFull: this.#waiting.count > 0 };
      this.#calls += 1;
      this.#calledTokens += tokens;
      this.#changed();
      void this.#call(batch).finally(() => {
        this.#calls -= 1;
        this.#calledTokens -= tokens;
        const hasOthers = this.#waiting.count > 0;
        // A call that was given up says nothing of how long it would have taken.
        if (batch[0]?.call?.abort.signal.aborted !== true)
          this.#pace.ended({ ...call, hasOthers }, clock.now());
        this.#changed();
        this.#startCalls();
      });
    }
  }

  /** Makes one call, and halves it where a text is refused: neighbours must not pay for it. */
  async #call(batch: readonly WaitingText[]): Promise<void> {
    const abort = new AbortController();
    for (const text of batch) text.call = { abort, texts: batch };
    const { clock, observer } = this.#ports;
    const startedMs = clock.now();
    const first = batch[0]!;
    const tokens = sumTokens(batch);
    const ended = (outcome: string) =>
      observer.called({
        ...{ model: this.#model.alias, lane: first.lane, texts: batch.length, tokens, outcome },
        latencyMs: Math.max(0, clock.now() - startedMs),
        waitedMs: Math.max(0, startedMs - Math.min(...batch.map(({ sinceMs }) => sinceMs))),
      });
    try {
      const vectors = await this.#traceCall(batch, tokens, () =>
        this.#ports.embedTexts(batch, first.role, abort.signal),
      );
      ended('ok');
      for (const [position, text] of batch.entries()) this.#settle(text, vectors[position]!);
    } catch (error) {
      const failure = toFreshetError(error);
      ended(failure.failureClass);
      const { failureClass } = failure;
      if (batch.length > 1 && (failureClass === 'item' || failureClass === 'too-large')) {
        const middle = Math.ceil(batch.length / 2);
        for (const half of [batch.slice(0, middle), batch.slice(middle)]) await this.#callWanted(half);
        return;
      }
      for (const text of batch) this.#fail(text, failure);
    }
  }

  /** A call is part of the request that asked first, and linked to the others that share it. */
  #traceCall<Result>(batch: readonly WaitingText[], tokens: number, call: () => Promise<Result>) {
    const [parent, ...links] = new Set(batch.flatMap(({ spans }) => [...spans]));
    const described = describeCall(this.#model, batch.length);
    const attributes = { ...described.attributes, 'freshet.tokens.estimated': tokens };
    return inSpan(this.#ports, { ...described, attributes, parent, links }, call);
  }

  /** Calls for the texts of a half that somebody still waits for. */
  async #callWanted(half: readonly WaitingText[]): Promise<void> {
    const wanted = half.filter(({ waiters }) => waiters.size > 0);
    for (const text of half) if (text.waiters.size === 0) this.#forget(text);
    if (wanted.length > 0) await this.#call(wanted);
  }

  #settle(text: WaitingText, vector: CachedVector | FreshetError): void {
    if (vector instanceof FreshetError) {
      this.#fail(text, vector);
      return;
    }
    this.#ports.cache.set(text.key, vector);
    this.#forget(text);
    for (const waiter of takeAll(text.waiters)) waiter.resolve(vector);
  }

  #fail(text: WaitingText, failure: FreshetError): void {
    this.#forget(text);
    for (const waiter of takeAll(text.waiters)) waiter.reject(failure);
  }

  /** A text that was given up may be on its way again, for somebody who came later. */
  #forget(text: WaitingText): void {
    if (this.#underway.get(text.key) === text) this.#underway.delete(text.key);
  }

  #changed(): void {
    const { count: texts, tokens } = this.#waiting;
    this.#ports.observer.queued(this.#model.alias, { texts, tokens, calls: this.#calls });
  }
}

function sumTokens(texts: readonly SizedText[]): number {
  return texts.reduce((sum, { tokens }) => sum + tokens, 0);
}

function takeAll<Item>(items: Set<Item>): readonly Item[] {
  const taken = [...items];
  items.clear();
  return taken;
}
