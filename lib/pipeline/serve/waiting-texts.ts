import type { FreshetError } from '../../core/errors.ts';
import type { InputRole } from '../../core/model.ts';
import type { ServiceLane } from '../../ports/embedding-service.ts';
import type { TraceContext } from '../../ports/tracer.ts';
import type { CachedVector } from './vector-cache.ts';

/** A text as it is sent, with what it takes of a call. */
export interface SizedText {
  /** Equal keys mean equal vectors. */
  readonly key: string;
  readonly text: string;
  /** The call that embeds the text: texts of two roles never share one. */
  readonly role: InputRole;
  readonly bytes: number;
  readonly tokens: number;
}

/** A text on its way, with those who wait for its vector. */
export interface WaitingText extends SizedText {
  lane: ServiceLane;
  readonly sinceMs: number;
  readonly waiters: Set<Waiter>;
  /** The spans of the requests that wait for it; the first one asked for it first. */
  readonly spans: Set<TraceContext>;
  /** The call that embeds the text now. Undefined: it is in the queue. */
  call?: { readonly abort: AbortController; readonly texts: readonly WaitingText[] } | undefined;
}

export interface Waiter {
  resolve(vector: CachedVector): void;
  reject(failure: FreshetError): void;
}

/** What one call takes. */
interface BatchLimits {
  readonly maxTexts: number;
  readonly maxTokens: number;
  readonly maxBytes: number;
}

/**
 * The texts of one model that no call has taken yet, queries apart from documents.
 * Each lane is in the order of arrival. Taking a text out costs the same wherever it stands.
 */
export class WaitingTexts {
  readonly #lanes: Readonly<Record<ServiceLane, Set<WaitingText>>> = {
    query: new Set(),
    document: new Set(),
  };
  readonly #tokens = { query: 0, document: 0 };

  get tokens(): number {
    return this.#tokens.query + this.#tokens.document;
  }

  get count(): number {
    return this.#lanes.query.size + this.#lanes.document.size;
  }

  /** What goes before a text that comes to a lane now: no document goes before a query. */
  aheadOf(lane: ServiceLane): { readonly texts: number; readonly tokens: number } {
    if (lane === 'document') return { texts: this.count, tokens: this.tokens };
    return { texts: this.#lanes.query.size, tokens: this.#tokens.query };
  }

  add(text: WaitingText): void {
    this.#lanes[text.lane].add(text);
    this.#tokens[text.lane] += text.tokens;
  }

  /** Takes a text out. False: it did not wait. */
  remove(text: WaitingText): boolean {
    if (!this.#lanes[text.lane].delete(text)) return false;
    this.#tokens[text.lane] -= text.tokens;
    return true;
  }

  /** Lets a waiting document go before others: a query waits for the same text. */
  promote(text: WaitingText): void {
    if (text.lane === 'query' || !this.remove(text)) return;
    text.lane = 'query';
    this.add(text);
  }

  /**
   * Takes what fits one call: queries, then documents, in the order of arrival.
   * The first text decides the role. It is taken whatever its size, because it fits nowhere else.
   */
  takeBatch({ maxTexts, maxTokens, maxBytes }: BatchLimits): readonly WaitingText[] {
    const batch: WaitingText[] = [];
    let tokens = 0;
    let bytes = 0;
    for (const lane of ['query', 'document'] as const) {
      for (const text of this.#lanes[lane]) {
        if (batch.length > 0) {
          if (text.role !== batch[0]!.role) continue;
          const isFull =
            batch.length >= maxTexts || tokens + text.tokens > maxTokens || bytes + text.bytes > maxBytes;
          if (isFull) return this.#take(batch);
        }
        batch.push(text);
        tokens += text.tokens;
        bytes += text.bytes;
      }
    }
    return this.#take(batch);
  }

  #take(batch: readonly WaitingText[]): readonly WaitingText[] {
    for (const text of batch) this.remove(text);
    return batch;
  }
}
