/**
 * The words that an operator may put beside a pause.
 * Other people see them and logs keep them, so they are few and plain.
 */
export const PAUSE_DETAIL = /^[\p{L}\p{N} ._:#/-]{0,80}$/u;
