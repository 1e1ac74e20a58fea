import type { Lane } from '../core/model.ts';
import type { Pace } from '../core/pace.ts';
import type { RateLimits } from '../core/rate.ts';

/**
 * What was learned of the models' servers: one row per model that every worker obeys.
 * @throws FreshetError from every method, classified from the SQLSTATE.
 */
export interface PaceStore {
  /** Reads the pace of a model; undefined: nothing was learned yet. */
  readPace(modelAlias: string): Promise<Pace | undefined>;
  /**
   * Takes a turn for a call: one of the `callsAtOnce` of the model. Undefined: all are taken.
   * A model of which nothing was learned gets its row here, with one call at once. A turn that
   * nobody ends frees itself after `seconds`, so that a dead process holds it for no longer than
   * its call could last. The turn of a local run is over with the run, however that ended.
   */
  takeTurn(modelAlias: string, call: TurnHolder, seconds: number): Promise<Turn | undefined>;
  /**
   * Stores what was learned from `seen`, and ends the turn of the call that taught it.
   * Nothing is learned where another worker stored something since: what it learned is as good, and
   * its call is the later one.
   */
  storePace(modelAlias: string, turnId: string, seen: Pace, learned: Pace): Promise<void>;
  /** Reads the limits that answers named; undefined: nothing is stored of the model. */
  readRateLimits(modelAlias: string): Promise<RateLimits | undefined>;
  /**
   * Takes a call's share of the model's rate: 0, or milliseconds until asking again is worthwhile.
   * A refused ask of an edit holds bulk work off for two seconds.
   */
  takeRate(modelAlias: string, ask: RateAsk): Promise<number>;
  /** Stores what a call told of the rate. */
  noteRate(modelAlias: string, news: RateNews): Promise<void>;
}

/** A call that asks for its share of the rate. */
export interface RateAsk {
  readonly lane: Lane;
  /** As estimated. */
  readonly tokens: number;
  /** Those of the configuration; the lower one of these and of what answers named holds. */
  readonly limits: RateLimits;
  /** Tokens of the largest call of the model. */
  readonly largestTokens: number;
  /**
   * Milliseconds above which who has to wait comes back once, at the moment that the answer names.
   * Each is then given a moment of its own, one after the other: hundreds of messages that come
   * back together would be refused again, until their receives are used up. Null: who waits asks
   * again and again.
   */
  readonly hidesAboveMs: number | null;
}

/** What a call told of the rate. */
export interface RateNews {
  readonly limits: RateLimits;
  /** The limits that the answer named; undefined: none. */
  readonly learned?: RateLimits | undefined;
  /** Tokens billed above what was taken for the call; negative: below. */
  readonly excessTokens: number;
  /** The call was answered rightly. */
  readonly isAnswered: boolean;
  /** The provider refused the call for going too fast; a call that had a share lowers the rate. */
  readonly throttled?:
    | { readonly retryAfterMs: number | undefined; readonly lowersRate: boolean }
    | undefined;
}

/** The call that a turn is for. */
export interface TurnHolder {
  readonly callId: string;
  /** The local run that makes the call; null: a Lambda. */
  readonly runId: number | null;
}

/** A turn of a call, with the pace as it stood when the turn was taken. */
export interface Turn {
  /** What ends the turn. */
  readonly turnId: string;
  readonly pace: Pace;
  /** Calls of the model under way, this one included. */
  readonly callsAtOnce: number;
}
