/**
 * Adds to each version of schema `freshet` which older code may run on it.
 * `compatible_from` is the oldest version whose code works on a schema that has this migration.
 * NULL, from code that did not know the column: none but the version's own.
 */
export const migration0004Versions = {
  version: 4,
  compatibleFrom: 4,
  name: 'versions',
  statements: [
    'ALTER TABLE freshet.migrations ADD COLUMN compatible_from integer ' +
      'CHECK (compatible_from BETWEEN 1 AND version)',
    'UPDATE freshet.migrations SET compatible_from = version',
  ],
} as const;
