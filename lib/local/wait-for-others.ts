import { describeFailure } from '../pipeline/failures.ts';
import type { LookAhead } from './look-ahead.ts';
import type { LocalRunPorts } from './run-ports.ts';

/** Milliseconds between two questions for the rows that others still hold. */
const LOOK_EVERY_MS = 1_000;

/** The wait of a run whose only remaining rows are leased by others. */
export interface WaitForOthers {
  /**
   * Whether the run must go on, because others hold rows or held some at the last look.
   * The database is asked at most once a second. A database that is away for a moment is waited
   * for.
   * @throws FreshetError of the database that is not `transient`.
   */
  mustWait(): Promise<boolean>;
  /** Ends the waiting, because the run itself has work again. */
  pause(): void;
  isWaiting(): boolean;
  /** When the database is asked next, in the clock's time; undefined: the run does not wait. */
  nextLookAtMs(): number | undefined;
  /** Compares what others hold from now on afresh, because the run itself finished rows. */
  noteOwnProgress(): void;
}

/**
 * Creates the wait; `onMovement` is called when the others moved on.
 * Rows that others hold no longer were finished or given back, so that the run looks again. Others
 * moved on only where they hold fewer rows than ever since the run last finished rows itself.
 * Leases that merely come and go thereby keep nobody waiting for ever.
 */
export function createWaitForOthers(
  ports: Pick<LocalRunPorts, 'clock' | 'tally' | 'countHeldElsewhere' | 'onHeldElsewhere'>,
  lookAhead: Pick<LookAhead, 'isComplete' | 'spaceIds' | 'startOver'>,
  onMovement: () => void,
): WaitForOthers {
  const { clock, tally, countHeldElsewhere, onHeldElsewhere } = ports;
  let waiting = false;
  let announced = false;
  let rows = 0;
  let leastRows = Number.POSITIVE_INFINITY;
  let lookAtMs = 0;

  /** Asks what others hold; undefined: the database cannot be asked at the moment. */
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
    // A run that took up as many rows as it may ends with work left, whoever holds it.
    if (countHeldElsewhere === undefined || !lookAhead.isComplete()) return false;
    if (lookAtMs > clock.now()) return true;
    const held = await ask(countHeldElsewhere);
    lookAtMs = clock.now() + LOOK_EVERY_MS;
    if (held === undefined) return true;
    const now = held.byRuns + held.byPipeline;
    if (now === 0 && rows === 0) return false;
    if (!announced && now > 0) {
      announced = true;
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
