import { describeFailure } from '../pipeline/failures.ts';
import type { LookAhead } from './look-ahead.ts';
import type { LocalRunPorts } from './run-parts.ts';

/** How often a run that waits asks what the others still hold. */
const LOOK_EVERY_MS = 1_000;

/** The wait of a run that has nothing left to do but what others have leased. */
export interface WaitForOthers {
  /**
   * Whether to go on, although nothing is left: others hold rows, or held some at the last look. Asks the database
   * at most once a second; rejects with what it says, unless it is only away for a moment.
   */
  mustWait(): Promise<boolean>;
  /** There is work again. */
  pause(): void;
  isWaiting(): boolean;
  /** Undefined while it does not wait. */
  nextLookAtMs(): number | undefined;
  /** The run itself finished rows: what others finish from now on is compared with what they hold then. */
  noteOwnProgress(): void;
}

/**
 * Rows that the others hold no more were finished or given back: the run then looks again. Only where they hold fewer
 * than ever since the run last finished rows itself, something has moved (`onMovement`): a pipeline whose leases come
 * and go keeps nobody waiting for ever.
 */
export function createWaitForOthers(
  parts: Pick<LocalRunPorts, 'clock' | 'tally' | 'countHeldElsewhere' | 'onHeldElsewhere'>,
  lookAhead: Pick<LookAhead, 'isComplete' | 'spaceIds' | 'startOver'>,
  onMovement: () => void,
): WaitForOthers {
  const { clock, tally, countHeldElsewhere, onHeldElsewhere } = parts;
  let waiting = false;
  let told = false;
  let rows = 0;
  let leastRows = Number.POSITIVE_INFINITY;
  let lookAtMs = 0;

  /** Undefined where the database cannot be asked at the moment. */
  const ask = async (count: NonNullable<typeof countHeldElsewhere>) => {
    try {
      return await count(lookAhead.spaceIds());
    } catch (error) {
      const reason = describeFailure(error);
      if (reason.failureClass !== 'transient') throw error;
      tally.recordFailed(reason);
      return undefined;
    }
  };

  const look = async (): Promise<boolean> => {
    // A run that took up as many rows as it may ends with work left, its own or not.
    if (countHeldElsewhere === undefined || !lookAhead.isComplete()) return false;
    if (lookAtMs > clock.now()) return true;
    const held = await ask(countHeldElsewhere);
    lookAtMs = clock.now() + LOOK_EVERY_MS;
    if (held === undefined) return true;
    const now = held.byRuns + held.byPipeline;
    if (now === 0 && rows === 0) return false;
    if (!told && now > 0) {
      told = true;
      onHeldElsewhere?.(held);
    }
    if (now < rows) lookAhead.startOver();
    if (now < leastRows) onMovement();
    leastRows = Math.min(now, leastRows);
    rows = now;
    return true;
  };

  return {
    async mustWait() {
      waiting = await look();
      return waiting;
    },
    pause() {
      waiting = false;
    },
    isWaiting: () => waiting,
    nextLookAtMs: () => (waiting ? lookAtMs : undefined),
    noteOwnProgress() {
      leastRows = Number.POSITIVE_INFINITY;
    },
  };
}
