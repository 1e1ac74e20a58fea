/**
 * Version of `prepareText` and `fingerprintText`.
 * It is raised when either would give another result for the same row. Every space is then made
 * anew.
 */
export const RECIPE_VERSION = 1;
