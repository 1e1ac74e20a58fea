import { FreshetError } from '../core/errors/freshet-error.ts';

/**
 * SQLSTATEs of what an application can do to its table.
 * Table, schema or column is gone, a permission is missing, or a type is another one.
 */
const BROKEN = /^sqlstate_(42P01|3F000|42703|42501|42883|42804)$/;

/**
 * Reads, and resolves with undefined where the source's table cannot be read as it was.
 * @throws every other failure of the read.
 */
export async function unlessSourceBroken<Value>(read: () => Promise<Value>): Promise<Value | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof FreshetError && BROKEN.test(error.code)) return undefined;
    throw error;
  }
}
