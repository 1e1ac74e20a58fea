import { type Kysely, sql } from 'kysely';
import { FreshetError } from '../../core/errors.ts';
import type { FreshetTables } from './freshet-tables.ts';

/** A row, or what stands for one, that a statement alone fails for. */
export interface Culprit<Item> {
  readonly item: Item;
  readonly error: FreshetError;
}

/**
 * Classes of SQLSTATEs that one row can cause.
 * Values and constraints (21, 22, 23, 44), functions, also of a view or a trigger (2F, 38, 39, P0),
 * limits that a value can break (54), damaged values and pages (XX), and what a function's own
 * statement meets (42). Serialisation, shutdowns, resources and connections (40, 53, 57, 08)
 * concern every row alike.
 */
const OF_ONE_ROW = /^sqlstate_(2[1-3]|2F|38|39|42|44|54|P0|XX)...$/;

/** States of class 42 that say that the table or a right changed, for every row alike. */
const OF_ALL_ROWS = /^sqlstate_(42P01|42703|42501|42601)$/;

/** Whether a failed statement may owe its failure to one of the rows that it met. */
export function mayBeOfOneRow(error: unknown): error is FreshetError {
  return error instanceof FreshetError && OF_ONE_ROW.test(error.code) && !OF_ALL_ROWS.test(error.code);
}

/** What a statement that was taken apart leaves undone. */
interface Divided<Item> {
  readonly culprits: readonly Culprit<Item>[];
  /** Items that no statement was left for: they are not done, and nothing is known of them. */
  readonly left: readonly Item[];
}

/**
 * Counts the statements that taking `count` items apart may take.
 * One culprit takes two for each halving, so that eight are found wherever they lie. Where each of
 * a thousand items failed, halving to the end would take two thousand statements.
 */
function budgetFor(count: number): number {
  return 2 + 16 * Math.ceil(Math.log2(Math.max(1, count)));
}

/**
 * Runs work over the items, in halves where it fails for one of them, and names the culprits.
 * The halves are taken from the first to the last, within `budgetFor` statements. What comes after
 * the last one is left: a caller lets go of it, and it comes again without the culprits.
 * What fails for all of several items, or for all that the budget reached, is no item's fault.
 * @throws FreshetError where no single item can be at fault, with the first failure where all are.
 */
export async function divideRows<Item>(
  items: readonly Item[],
  work: (items: readonly Item[]) => Promise<void>,
): Promise<Divided<Item>> {
  const culprits: Culprit<Item>[] = [];
  const left: Item[] = [];
  let statements = budgetFor(items.length);
  let done = 0;
  const halve = async (part: readonly Item[]): Promise<void> => {
    const [first] = part;
    if (first === undefined) return;
    if (statements === 0) {
      left.push(...part);
      return;
    }
    statements -= 1;
    try {
      await work(part);
      done += part.length;
    } catch (error) {
      if (!mayBeOfOneRow(error)) throw error;
      if (part.length === 1) {
        culprits.push({ item: first, error });
        return;
      }
      const half = Math.ceil(part.length / 2);
      await halve(part.slice(0, half));
      await halve(part.slice(half));
    }
  };
  await halve(items);
  const [first] = culprits;
  const last = left.at(-1);
  if (done === 0 && last !== undefined) {
    // Only one of them that succeeds shows that the failures are the culprits' own.
    statements = 1;
    left.pop();
    await halve([last]);
  }
  if (first && items.length > 1 && done === 0) throw first.error;
  return { culprits, left };
}

/**
 * Changes the leases of ids; one that cannot be changed stays as it is, and ends with its time.
 * Of a row that expires again and again, `detect` tells.
 */
export async function changeEach(
  ids: readonly string[],
  change: (ids: readonly string[]) => Promise<void>,
): Promise<void> {
  await divideRows(ids, change);
}

/**
 * Runs work of an open transaction so that its failure undoes this work alone.
 * The transaction, and with it the ledger rows that it holds, goes on. Two transactions would lose
 * the second half: an object that was seen before is acknowledged.
 */
export async function withinSavepoint<Value>(
  transaction: Kysely<FreshetTables>,
  work: () => Promise<Value>,
): Promise<Value> {
  await sql`SAVEPOINT part`.execute(transaction);
  try {
    const value = await work();
    await sql`RELEASE SAVEPOINT part`.execute(transaction);
    return value;
  } catch (error) {
    // A connection that is gone has rolled back everything, and says so again.
    await sql`ROLLBACK TO SAVEPOINT part`.execute(transaction);
    throw error;
  }
}
