/**
 * Adds what partitioned sources and sources without `xmin` need.
 * `partitions` holds the OIDs and bounds of a source's partitions, and since when one is gone.
 * `row_version` says what tells two versions of a row apart: its `xmin`, or a `hash` of its texts.
 */
export const migration0006Relations = {
  version: 6,
  compatibleFrom: 4,
  name: 'relations',
  statements: [
    "ALTER TABLE freshet.positions ADD COLUMN partitions jsonb NOT NULL DEFAULT '[]'",
    "ALTER TABLE freshet.spaces ADD COLUMN row_version text NOT NULL DEFAULT 'xmin' " +
      "CHECK (row_version IN ('xmin', 'hash'))",
  ],
} as const;
