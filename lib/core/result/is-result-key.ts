/**
 * The prefix `claims/`, then characters that every store can name, without `..`.
 * The rights of the functions end at that prefix, and no key leads out of a folder.
 */
const RESULT_KEY = /^(?!.*\.\.)claims\/[A-Za-z0-9._/=-]{1,504}$/;

/**
 * Whether an object key has the form of our own keys.
 * A key that comes with a message is trusted only if it has.
 */
export function isResultKey(key: string): boolean {
  return RESULT_KEY.test(key);
}
