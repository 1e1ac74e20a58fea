import { FreshetError } from '../../../core/errors/freshet-error.ts';
import { SOURCE_FAULT_PREFIX } from '../../../core/errors/source-fault.ts';
import type { Space } from '../../../core/model/space.ts';
import type { SqlDatabase } from '../sql-database.ts';
import { findSourceFault } from './find-source-fault.ts';

/**
 * Failures that a changed table can cause.
 * The table, the schema or a column is gone; a permission is missing; or an operator or a cast is
 * of another type.
 */
const SUSPECT = /^sqlstate_(42P01|3F000|42703|42501|42883|42804|42846)$/;

/**
 * Runs the work and names what is wrong with the source's table where the work failed by it.
 * Only this source stops when the application changed its table.
 * @throws FreshetError of class `stop` whose code begins with `SOURCE_FAULT_PREFIX` where the table
 * has a fault; else what the work rejected with.
 */
export async function nameSourceFault<Value>(
  db: SqlDatabase,
  space: Space,
  work: () => Promise<Value>,
): Promise<Value> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof FreshetError) || !SUSPECT.test(error.code)) throw error;
    const fault = await findSourceFault(db, space);
    if (fault === undefined) throw error;
    throw new FreshetError(fault.message, {
      failureClass: 'stop',
      code: `${SOURCE_FAULT_PREFIX}${fault.code}`,
    });
  }
}
