import { FreshetError } from '../../../core/errors/freshet-error.ts';
import { SOURCE_FAULT_PREFIX } from '../../../core/errors/source-fault.ts';
import type { Space } from '../../../core/model/space.ts';
import type { SqlDatabase } from '../sql-database.ts';
import { findSourceFault } from './find-source-fault.ts';

/** Table, schema or column gone, no permission, operator or cast of another type. */
const SUSPECT = /^sqlstate_(42P01|3F000|42703|42501|42883|42804|42846)$/;

/** A statement that failed because the application changed its table fails with what is wrong with the table, so that only its source stops. */
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
