/** What a call of the simulated model takes, and each text of it. */
export const CALL_MS = 50;
export const TEXT_MS = 10;
/** A text of the load; a number makes each one another. */
export const TEXT = 'a text of the load, number 000000';
