import { FreshetError } from '../core/errors/freshet-error.ts';

/** Table, schema or column gone, no permission, another type: what the application can do to its table. */
const BROKEN = /^sqlstate_(42P01|3F000|42703|42501|42883|42804)$/;

/** Undefined where the source's table cannot be read as it was; every other failure is thrown on. */
export async function unlessSourceBroken<Value>(read: () => Promise<Value>): Promise<Value | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof FreshetError && BROKEN.test(error.code)) return undefined;
    throw error;
  }
}
