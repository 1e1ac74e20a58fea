/** Rows that may have killed a process have their turn behind so many others for each of them. */
const OTHERS_PER_SUSPECT = 10;
/**
 * Rows until the first turn, and at most between two.
 * A turn costs a statement: one that finds none doubles the rows until the next one.
 */
const FIRST_TURN_ROWS = 1_000;
const LONGEST_TURN_ROWS = 16_000;

interface SuspectTurns {
  /** How many suspects may be leased now that a run has leased so many rows; 0: no turn is due. */
  allowedAfter(leasedRows: number): number;
  /** Notes a turn that came to `suspects` rows, all rows of the run being `leasedRows` by now. */
  noteTurn(leasedRows: number, suspects: number): void;
}

/**
 * Gives rows that were in a call when a process died a bounded share of a run.
 * They stand behind all others in a look: runs that die early then do not die with the same rows.
 * Without turns of their own they would wait until a backlog of hours is done.
 */
export function createSuspectTurns(): SuspectTurns {
  let atRows = 0;
  let everyRows = FIRST_TURN_ROWS;
  return {
    allowedAfter(leasedRows) {
      const others = leasedRows - atRows;
      return others < everyRows ? 0 : Math.floor(others / OTHERS_PER_SUSPECT);
    },
    noteTurn(leasedRows, suspects) {
      atRows = leasedRows;
      everyRows = suspects > 0 ? FIRST_TURN_ROWS : Math.min(LONGEST_TURN_ROWS, 2 * everyRows);
    },
  };
}
