import * as z from 'zod';

/** Every leaf says in its error what was expected there; `describeIssues` puts the path before it and what was found behind. */
export const word = (expected: string) => z.string({ error: expected }).trim().min(1, { error: expected });

export const wordLike = (pattern: RegExp, expected: string) =>
  word(expected).refine(text => pattern.test(text), { error: expected });

export const wholeNumber = (least: number, most: number) => {
  const error = `expected a whole number from ${least} to ${most}`;
  return z.int({ error }).min(least, { error }).max(most, { error });
};

export const flag = z.boolean({ error: 'expected true or false' });

const IANA = 'expected an IANA time zone such as Europe/Berlin';

/** One that this Node knows. */
export const timeZone = word(IANA).refine(isTimeZone, { error: IANA });

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}
