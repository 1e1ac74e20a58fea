import { type RawBuilder, sql } from 'kysely';
import type { FreshetError } from '../../core/errors.ts';
import type { KeyRange, SkippedRow } from '../../ports/detection-store.ts';
import type { SqlDatabase } from './database.ts';
import { mayBeOfOneRow } from './divide-rows.ts';
import { type KeyColumns, listKey } from './key-columns.ts';

/**
 * Most statements that one division of a range may make, without those that find the middles.
 * One row among 50,000 takes 32 of them: six are found wherever they lie, and many more where they
 * lie together.
 */
const MAX_STATEMENTS = 200;

/** What became of a range that was taken apart. */
interface DividedRange {
  /** Rows that the statement fails for even where it looks at nothing else. */
  readonly skipped: readonly SkippedRow[];
  /** The last key that was reached; null where the whole range was. */
  readonly stoppedAt: string | null;
}

/** How a statement over a range of keys is taken apart. */
interface Division {
  /**
   * Runs the statement over a part of the range.
   * `alone` says that the part holds one key, and that the statement has failed for it before.
   */
  work(part: KeyRange, alone: boolean): Promise<void>;
  /** Renders the keys of a part, as `carry` names them: `SELECT … AS key FROM …`. */
  keysWithin(part: KeyRange): RawBuilder<unknown>;
}

/**
 * Runs a statement over a range of keys, in halves where it fails for one row of it.
 * The halves are taken in the order of the keys. Each failure that is alone is skipped and named;
 * the walk stops behind it once `MAX_STATEMENTS` were made, so that the caller goes on from there.
 * What fails for every one of several keys is no row's fault.
 * @throws FreshetError where no single row can be at fault, with the first failure where all are.
 */
export async function divideRange(
  db: SqlDatabase,
  keys: KeyColumns,
  range: KeyRange,
  { work, keysWithin }: Division,
): Promise<DividedRange> {
  const skipped: SkippedRow[] = [];
  let statements = MAX_STATEMENTS;
  let stoppedAt: string | null = null;
  let isStopped = false;
  let hasSucceeded = false;
  let firstError: FreshetError | undefined;
  const attempt = async (part: KeyRange, alone = false): Promise<FreshetError | undefined> => {
    statements -= 1;
    try {
      await work(part, alone);
      hasSucceeded = true;
      return undefined;
    } catch (error) {
      if (!mayBeOfOneRow(error)) throw error;
      firstError ??= error;
      return error;
    }
  };
  const halve = async (part: KeyRange): Promise<void> => {
    if (isStopped) return;
    if (statements <= 0 && part.after !== range.after) {
      isStopped = true;
      stoppedAt = part.after;
      return;
    }
    const error = await attempt(part);
    if (error === undefined) return;
    const middle = await findMiddle(db, keys, keysWithin(part));
    if (middle === undefined) throw error;
    if (middle.keys === 1) {
      const again = await attempt(part, true);
      if (again !== undefined) skipped.push({ id: middle.id, code: again.code });
      return;
    }
    await halve({ after: part.after, through: middle.id });
    await halve({ after: middle.id, through: part.through });
  };
  await halve(range);
  if (firstError !== undefined && !hasSucceeded && skipped.length > 1) throw firstError;
  return { skipped, stoppedAt };
}

/** Finds the key in the middle of those that the SELECT lists, and how many they are. */
async function findMiddle(
  db: SqlDatabase,
  keys: KeyColumns,
  listed: RawBuilder<unknown>,
): Promise<{ readonly id: string; readonly keys: number } | undefined> {
  const key = keys.carried('k');
  const { rows } = await sql<{ id: string; keys: number }>`
    SELECT ${keys.text(keys.carried('m'))} AS id, m.keys
      FROM (SELECT ${keys.carry(key)}, row_number() OVER (ORDER BY ${listKey(key)}) AS place,
                   (count(*) OVER ())::int AS keys
              FROM (SELECT DISTINCT ${listKey(keys.carried('d'))} FROM (${listed}) AS d) AS k) AS m
     WHERE m.place = greatest(1, m.keys / 2)`.execute(db.kysely);
  return rows[0];
}
