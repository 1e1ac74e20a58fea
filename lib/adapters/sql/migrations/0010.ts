/**
 * Adds an index on the few rows of each vector table that hold no vector.
 * Statements ask for the outcomes of keys that stand twice: without the index each such question
 * reads a whole table. Older code makes no table on this schema, and its statements use the index.
 * The build reads each table once, during which results wait.
 */
export const migration0010OutcomeIndexes = {
  version: 10,
  compatibleFrom: 4,
  name: 'outcome-indexes',
  statements: [
    `DO $$
     DECLARE space integer;
     BEGIN
       FOR space IN SELECT space_id FROM freshet.spaces ORDER BY space_id LOOP
         IF to_regclass(format('freshet.%I', 'vectors_' || space)) IS NOT NULL THEN
           EXECUTE format(
             'CREATE INDEX %I ON freshet.%I (outcome, item_id) WHERE outcome <> ''embedded''',
             'vectors_' || space || '_by_outcome', 'vectors_' || space);
         END IF;
       END LOOP;
     END $$`,
  ],
} as const;
