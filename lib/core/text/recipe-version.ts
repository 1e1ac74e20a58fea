/** Of `prepareText` and `fingerprintText`. Raised when either would give another result for the same row: every space is then made anew. */
export const RECIPE_VERSION = 1;
