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

/** The values of each field of a cron expression of AWS, in its order, the year apart. */
const CRON_RANGES = [
  { least: 0, most: 59, names: [] },
  { least: 0, most: 23, names: [] },
  { least: 1, most: 31, names: [] },
  { least: 1, most: 12, names: 'JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC'.split(' ') },
  { least: 1, most: 7, names: 'SUN MON TUE WED THU FRI SAT'.split(' ') },
  { least: 1970, most: 2199, names: [] },
] as const;

/** Days of the month that only a calendar can tell: the last one, a weekday near the 15th. */
const CALENDAR_DAY_OF_MONTH = /^(\?|LW?|L-([1-9]|[12]\d|30)|([1-9]|[12]\d|3[01])W)$/i;

/** Days of the week that only a calendar can tell: the last Friday, the second one. */
const CALENDAR_DAY_OF_WEEK = /^(\?|L|([1-7]|SUN|MON|TUE|WED|THU|FRI|SAT)(L|#[1-5]))$/i;

/** Whether AWS takes a cron expression: values in range, `?` for one of the two kinds of day. */
function isCron(text: string): boolean {
  const fields = text.split(' ');
  if ([fields[2], fields[4]].filter(field => field === '?').length !== 1) return false;
  return fields.every((field, place) => {
    const { least, most, names } = CRON_RANGES[place]!;
    if (place === 2 && CALENDAR_DAY_OF_MONTH.test(field)) return true;
    if (place === 4 && CALENDAR_DAY_OF_WEEK.test(field)) return true;
    const isValue = (word: string) =>
      names.some(name => name === word.toUpperCase()) ||
      (/^\d+$/.test(word) && Number(word) >= least && Number(word) <= most);
    return field.split(',').every(part => {
      const [, values = '', step = '1'] = /^([^/]+)(?:\/([1-9]\d*))?$/.exec(part) ?? [];
      const ends = values.split('-');
      return Number(step) <= most && (values === '*' || (ends.length <= 2 && ends.every(isValue)));
    });
  });
}

const scheduleExpectation = 'expected "rate(5 minutes)" or "cron(0 3 * * ? *)"';

/** When something is done, as EventBridge Scheduler takes it. */
export const schedule = word(scheduleExpectation).refine(
  text =>
    /^rate\([1-9]\d* (minutes?|hours?|days?)\)$/.test(text) ||
    isCron(/^cron\((\S+(?: \S+){5})\)$/.exec(text)?.[1] ?? ''),
  { error: scheduleExpectation },
);
