import * as z from 'zod';
import { findSchema, formatPath, keysOf, suggestNearest } from '../../core/config/describe-issues.ts';
import { ServiceRefusal } from '../../core/service-refusal.ts';

/**
 * Reads a body by its schema.
 * @throws ServiceRefusal that names the field, what was expected there, and the nearest valid key;
 *   it repeats no value
 */
export function readBody<Schema extends z.ZodObject>(schema: Schema, json: unknown): z.output<Schema> {
  // The words of a schema win over those that are told here.
  const parsed = schema.safeParse(json, { error: issue => describeExpected(issue, schema) });
  if (parsed.success) return parsed.data;
  const { issues } = parsed.error;
  // Where a key is misspelt, what is missing under its right name says less.
  const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0];
  if (issue?.code === 'unrecognized_keys') {
    const known = keysOf(findSchema(schema, issue.path));
    const key = (issue.keys[0] ?? '').slice(0, 80);
    const suggestion = suggestNearest(key, known, nearest => nearest);
    throw refuseField(
      nameField([...issue.path, key]),
      `is not a known field${suggestion} (known: ${known.join(', ')})`,
    );
  }
  throw refuseField(nameField(issue?.path ?? []), issue?.message ?? 'is not what was expected');
}

function nameField(path: readonly PropertyKey[]): string {
  return path.length === 0
    ? 'body'
    : formatPath(path.map(step => (typeof step === 'number' ? step : String(step).slice(0, 80))));
}

export function refuseField(field: string, message: string): ServiceRefusal {
  return new ServiceRefusal('invalid_request', `${field}: ${message}`, { param: field });
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'an array',
  object: 'an object',
  record: 'an object',
};

type RawIssue = z.core.$ZodRawIssue;

/** Says what was expected where a schema does not say it itself. */
function describeExpected(issue: RawIssue, schema: z.ZodObject): string {
  const expected = `expected ${nameExpected(issue, schema)}`;
  return issue.input === undefined ? `${expected}, but it is missing` : expected;
}

function nameExpected(issue: RawIssue, schema: z.ZodObject): string {
  const { code } = issue;
  const at = findSchema(schema, issue.path ?? []);
  if (code === 'invalid_value') return nameOneOf(issue);
  if (code === 'invalid_key') return nameKeys(findSchema(schema, (issue.path ?? []).slice(0, -1)));
  if (code === 'invalid_type') return nameType(issue.expected, at);
  if (code !== 'too_big' && code !== 'too_small') return 'something else';
  const { origin } = issue;
  if (at instanceof z.ZodNumber) return nameNumber(at);
  const least = at instanceof z.ZodString ? at.minLength : lengthOf(at, 'min_length');
  const most = at instanceof z.ZodString ? at.maxLength : lengthOf(at, 'max_length');
  const unit = origin === 'string' ? 'characters' : 'entries';
  if (most === undefined || most === null) return `at least ${least ?? 1} ${unit}`;
  return least ? `${least} to ${most} ${unit}` : `at most ${most} ${unit}`;
}

function nameKeys(at: z.core.$ZodType | undefined): string {
  const most = at instanceof z.ZodRecord && at.keyType instanceof z.ZodString ? at.keyType.maxLength : null;
  return most === null ? 'other keys' : `keys of at most ${most} characters`;
}

/** Gives a bound of an array, which its class does not tell. */
function lengthOf(at: z.core.$ZodType | undefined, check: 'min_length' | 'max_length'): number | undefined {
  for (const each of at?._zod.def.checks ?? []) {
    const { def } = each._zod as {
      readonly def: { readonly check: string; readonly minimum?: number; readonly maximum?: number };
    };
    if (def.check === check) return def.minimum ?? def.maximum;
  }
  return undefined;
}

function nameType(type: string, at: z.core.$ZodType | undefined): string {
  if (at instanceof z.ZodNumber) return nameNumber(at);
  if (at instanceof z.ZodArray && at.element instanceof z.ZodString) return 'an array of texts';
  return TYPES[type] ?? 'something else';
}

function nameNumber({ minValue, maxValue, isInt }: z.ZodNumber): string {
  const type = isInt ? 'a whole number' : 'a number';
  const isBound = (value: number | null) => value !== null && Math.abs(value) < Number.MAX_SAFE_INTEGER;
  if (!isBound(maxValue)) return isBound(minValue) ? `${type} of at least ${minValue}` : type;
  return isBound(minValue) ? `${type} from ${minValue} to ${maxValue}` : `${type} of at most ${maxValue}`;
}

function nameOneOf({ values, input }: RawIssue & { readonly code: 'invalid_value' }): string {
  const words = values.map(String);
  const nearest = typeof input === 'string' ? suggestNearest(input.slice(0, 80), words, word => word) : '';
  return `one of ${words.join(', ')}${nearest}`;
}
