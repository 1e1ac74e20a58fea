import { FreshetError } from '../../core/errors.ts';
import type { Lane, Space } from '../../core/model.ts';
import { evenSize } from '../../core/pace.ts';
import { PROBE_TEXT } from '../failures.ts';
import { type CallResult, isRefusedGrant, type MadeCall } from './call-provider.ts';
import { callWithRetries, MAX_RETRIES, type RetryBounds } from './call-with-retries.ts';
import type { EmbedPorts } from './embed-ports.ts';
import { findPace, makeCallsSmaller, RESIZE_CODE } from './keep-pace.ts';

/**
 * Extra calls that a batch may make for every hundred texts.
 * A hundred texts with one culprit take 14 calls to halve down to the culprit, and one call to tell
 * it from a wrong configuration or an outage. Repeated calls count too. The rest of a batch is
 * delivered again with a budget of the same size.
 */
const EXTRA_CALLS_PER_HUNDRED = 15;

/** How often smaller calls follow one without an answer. */
const SMALLER_CALLS = 2;

interface TextsToBuy {
  readonly texts: readonly string[];
  /** The rows that wait for the texts. */
  readonly ids: readonly string[];
}

/** The delivery that asks for the texts. */
export interface Delivery {
  /** True: the texts were asked for before, in vain. */
  readonly redelivered?: boolean;
  /** The dispatch whose rows hold the calls; undefined: no row does. */
  readonly dispatchId?: string | undefined;
  /** The rows of the dispatch that wait for the purchase, or for one after it. */
  readonly heldIds?: readonly string[];
}

export type CallAnswer = Omit<CallResult, 'call'>;

/** How often an extra call may be repeated after answers that are no refusals, at most. */
export type ExtraRepetitions = Omit<RetryBounds, 'retries'>;

/** The calls of one purchase: the first call of each pack, and what takes packs apart. */
export interface PurchaseCalls {
  readonly made: readonly MadeCall[];
  /** How many of so many texts one call may carry now. */
  fit(texts: number): Promise<number>;
  /** Takes one of the smaller calls that may follow a call without an answer; an answer refills. */
  shrink(): boolean;
  /**
   * Makes the next calls smaller where a failed one cannot be followed up, and nothing was decided.
   * The next purchase would make the same call, and use up the rate or the time anew that the call
   * after it waits for. Never rejects.
   */
  keepFailure(ended: FreshetError): Promise<void>;
  /** Extra calls that the purchase may still make. */
  extraLeft(): number;
  /**
   * Makes a first call, with the tries that its model allows.
   * Where the texts were asked for before, in vain, the last try after a doubtful answer is left
   * out: `lastTry` takes its place.
   */
  first(request: TextsToBuy): Promise<CallAnswer & { readonly othersSucceeded: boolean }>;
  /**
   * Charges one extra call, before it is made.
   * The failure says that none is left; undefined: the call may be made.
   */
  charge(): FreshetError | undefined;
  /** Makes an extra call that was charged, and charges its repetitions. */
  extra(request: TextsToBuy, repetitions: ExtraRepetitions): Promise<CallAnswer>;
  /**
   * Asks with a harmless text in the place of the last try of a first call.
   * Nothing is charged: an outage takes as many calls as it takes without the probe.
   */
  lastTry(): Promise<CallAnswer>;
}

/** The text of no row that is sent alone to try the provider. */
export const PROBE_REQUEST: TextsToBuy = { texts: [PROBE_TEXT], ids: [] };

/** Opens the calls of a purchase of so many texts. */
export function openPurchaseCalls(
  ports: EmbedPorts,
  space: Space,
  lane: Lane,
  texts: number,
  remainingMs: () => number,
  { redelivered = false, dispatchId, heldIds = [] }: Delivery,
): PurchaseCalls {
  const made: MadeCall[] = [];
  const undecided = new Set(heldIds);
  const held = dispatchId === undefined ? undefined : { dispatchId, ids: () => [...undecided] };
  let extraLeft = Math.max(1, Math.ceil(texts / 100)) * EXTRA_CALLS_PER_HUNDRED;
  const smallerCalls = space.model.maxRetries ?? SMALLER_CALLS;
  let smallerCallsLeft = smallerCalls;
  /** Of the last call for rows that the provider did not put off. */
  let failedTexts = 1;
  const call = async ({ texts, ids }: TextsToBuy, bounds: Partial<RetryBounds>, goesOn = false) => {
    const holder = dispatchId === undefined ? undefined : { runId: ports.runId, dispatchId, ids };
    const request = { space, lane, texts, rows: ids.length, holder, held, goesOn };
    const retried = await callWithRetries(ports, request, remainingMs, bounds);
    made.push(...retried.calls);
    if (retried.result.vectors) {
      smallerCallsLeft = smallerCalls;
      for (const id of ids) undecided.delete(id);
    }
    if (ids.length > 0 && retried.calls.some(({ entry }) => !isThrottled(entry))) failedTexts = texts.length;
    return { ...retried.result, othersSucceeded: retried.othersSucceeded };
  };
  const retriesBeforeProbe = Math.max(0, (space.model.maxRetries ?? MAX_RETRIES) - 1);
  return {
    made,
    async fit(texts) {
      const { textsPerCall } = await findPace(ports, space.model.alias);
      return textsPerCall === null || texts <= textsPerCall ? texts : evenSize(texts, textsPerCall);
    },
    shrink() {
      if (smallerCallsLeft === 0) return false;
      smallerCallsLeft -= 1;
      return true;
    },
    extraLeft: () => extraLeft,
    async keepFailure({ failureClass, code }) {
      const isPutOff = code === 'out_of_time' || (failureClass === 'throttled' && !isRefusedGrant(code));
      if (isPutOff) await makeCallsSmaller(ports, space.model.alias, failedTexts);
    },
    first: request =>
      call(request, {
        retries: smallerCallsLeft,
        ...(redelivered && { retriesDoubtfulAnswer: retriesBeforeProbe }),
      }),
    charge() {
      if (extraLeft <= 0) return budgetUsedUp();
      extraLeft -= 1;
      return undefined;
    },
    async extra(request, repetitions) {
      const madeBefore = made.length;
      const result = await call(request, { retries: extraLeft, ...repetitions }, true);
      const calls = made.length - madeBefore;
      // A call that was only told to carry fewer texts was not made.
      const isNotMade = calls === 0 && result.failure?.code === RESIZE_CODE;
      extraLeft -= isNotMade ? -1 : Math.max(0, calls - 1);
      return result;
    },
    lastTry: () =>
      call(PROBE_REQUEST, { retries: 0, retriesInvalidReply: 0, retriesDoubtfulAnswer: 0 }, true),
  };
}

const isThrottled = ({ outcome }: MadeCall['entry']) => outcome.startsWith('throttled:');

function budgetUsedUp(): FreshetError {
  return new FreshetError('The batch used up its extra calls; the rest of its rows are sent again.', {
    failureClass: 'transient',
    code: 'call_budget',
  });
}
