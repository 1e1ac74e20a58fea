import * as z from 'zod';

/**
 * A text that is not blank. Like every leaf, it says in its error what was expected.
 * `describeIssues` puts the path before that error and the value that was found behind it.
 */
export const word = (expected: string) => z.string({ error: expected }).trim().min(1, { error: expected });

export const wordLike = (pattern: RegExp, expected: string) =>
  word(expected).refine(text => pattern.test(text), { error: expected });

export const wholeNumber = (least: number, most: number) => {
  const error = `expected a whole number from ${least} to ${most}`;
  return z.int({ error }).min(least, { error }).max(most, { error });
};

export const flag = z.boolean({ error: 'expected true or false' });

const IANA = 'expected an IANA time zone such as Europe/Berlin';

/** A time zone that this Node knows. */
export const timeZone = word(IANA).refine(isTimeZone, { error: IANA });

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}
