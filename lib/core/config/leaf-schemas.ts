import * as z from 'zod';

/**
 * A text that is not blank. Like every leaf, it says in its error what was expected.
 * `describeIssues` puts the path before that error and the value that was found behind it.
 */
export const word = (expected: string) => z.string({ error: expected }).trim().min(1, { error: expected });

/** A text of a form. */
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

export const account = wordLike(/^\d{12}$/, 'expected the 12 digits of an AWS account, in quotes');
export const region = wordLike(/^[a-z]{2}(-[a-z]+)+-\d$/, 'expected a region such as eu-west-1');

export const idOf = (prefix: string) =>
  wordLike(new RegExp(`^${prefix}-[0-9a-f]{8,17}$`), `expected an id such as ${prefix}-0123456789abcdef0`);

export const idsOf = (prefix: string) =>
  z
    .array(idOf(prefix), { error: `expected an array of ids such as ${prefix}-0123456789abcdef0` })
    .min(1, { error: `expected at least one id such as ${prefix}-0123456789abcdef0` });

const secretExpectation =
  'expected the ARN of a secret: arn:aws:secretsmanager:<region>:<account>:secret:<name>';
export const secretArn = wordLike(
  /^arn:aws[\w-]*:secretsmanager:[\w-]+:\d{12}:secret:\S+$/,
  secretExpectation,
);
export const keyArn = wordLike(
  /^arn:aws[\w-]*:kms:[\w-]+:\d{12}:key\/\S+$/,
  'expected the ARN of a KMS key: arn:aws:kms:<region>:<account>:key/<id>',
);

/** A secret with the KMS key of your own that encrypts it, where one does. */
export const keyedSecret = z.strictObject(
  { secretArn, secretKeyArn: keyArn.optional() },
  { error: 'expected an object such as { secretArn }' },
);

/** A secret by its ARN, or with its key. */
export const givenSecret = z.union([secretArn, keyedSecret], {
  error: `${secretExpectation}, or { secretArn, secretKeyArn }`,
});

/** A secret as the configuration and the props of the construct name it. */
export type GivenSecret = z.output<typeof givenSecret>;
