import type { Doubt } from './check-refusals.ts';
import type { FullLook } from './check-tenants.ts';
import type { World } from './world.ts';

export type Component = 'detect' | 'embed' | 'write' | 'guard';

/** One run of a handler. Dead: nothing of it goes on. Frozen: it was answered for, and may go on much later, as a thawed process does. */
export interface Invocation {
  readonly number: number;
  readonly component: Component;
  readonly deadlineMs: number;
  state: 'running' | 'returned' | 'frozen' | 'dead';
  /** When a frozen one goes on; undefined: never. */
  thawMs: number | undefined;
  /** `world.sequence` when the record at hand was taken up. */
  recordSequence: number;
  /** It read a text that kills its process. */
  poisoned: boolean;
  /** Of the call that is about to be made. */
  grantedCallId: string | undefined;
  /** Shares of the rate that it took and made no call with: the tokens of each. */
  readonly rated: number[];
  /** What its answered calls were billed above their estimates, until it tells. */
  readonly excessTokens: number[];
  /** `world.sequence` when the database last took a write that proves something: a result, or the guard's rows. */
  wroteAt: number;
  /** Batches of innocent texts that failed in an outage, since the provider last embedded something for it. */
  readonly failedInOutage: { readonly texts: readonly string[]; readonly recordSequence: number }[];
  /** Batches that failed because of a text of theirs: each may be taken apart to the end, whatever begins meanwhile. */
  readonly failedByText: { readonly texts: readonly string[]; readonly recordSequence: number }[];
  /** Texts that its calls failed with, by message, space and text. */
  readonly doubts: Map<string, Doubt>;
  /** Scopes that it may probe once. */
  readonly claims: Set<string>;
  /** Hash of the text that the space held of a row when it read the row, by `spaceId/id`; null: of none. */
  readonly storedHashes: Map<string, string | null>;
  /** `world.sequence` of the tick's whole look at a space, by space. */
  readonly looks: Map<number, number>;
  /** Edits of small tenants that its look at a space left, while a crowd filled it, by space. */
  readonly fullLooks: Map<number, FullLook>;
  /** Tenants of which its pages had more than a tenth, by `spaceId/tenant`: its walks leave them out. */
  readonly crowding: Set<string>;
  /** Rows that its looks skipped, and of which it has not told yet, by space. */
  readonly untold: Map<number, number>;
  /** Whoever waits for an answer hears that none will come. */
  died: () => void;
}

export function createInvocation(world: World, component: Component, timeoutMs: number): Invocation {
  world.invocations += 1;
  return {
    number: world.invocations,
    component,
    deadlineMs: world.scheduler.nowMs() + timeoutMs,
    state: 'running',
    thawMs: undefined,
    recordSequence: world.sequence,
    poisoned: false,
    grantedCallId: undefined,
    rated: [],
    excessTokens: [],
    wroteAt: Number.NEGATIVE_INFINITY,
    failedInOutage: [],
    failedByText: [],
    doubts: new Map(),
    claims: new Set(),
    storedHashes: new Map(),
    looks: new Map(),
    fullLooks: new Map(),
    crowding: new Set(),
    untold: new Map(),
    died: () => undefined,
  };
}

/** The process is gone: what it waits for never comes. */
export function kill(world: World, invocation: Invocation, cause: string): void {
  if (invocation.state === 'dead') return;
  invocation.state = 'dead';
  world.hardFaults += 1;
  world.trace.event(`${invocation.component} dies`, invocation.number, () => cause);
  invocation.died();
}
