/** The prefix that the functions' rights end at, what every store can name, and no way out of a folder. */
const RESULT_KEY = /^(?!.*\.\.)claims\/[A-Za-z0-9._/=-]{1,504}$/;

/** Whether an object key is one of ours: a key that comes with a message is believed only as far as this. */
export function isResultKey(key: string): boolean {
  return RESULT_KEY.test(key);
}
