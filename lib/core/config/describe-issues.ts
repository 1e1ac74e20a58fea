import * as z from 'zod';

/**
 * Finds the candidate that a misspelt word most likely meant.
 * The distance is the number of insertions, deletions, replacements and swaps of neighbours
 * (optimal string alignment). It may be up to a third of the word's length, and up to 2 for short
 * words. Undefined: no candidate is that near.
 */
export function nearestWord(word: string, candidates: readonly string[]): string | undefined {
  let nearest: string | undefined;
  let smallest = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < smallest) {
      smallest = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

/**
 * Composes `; did you mean "<word>"?` for a misspelt word of a configuration.
 * `quote` writes the word as the configuration does. Empty: no candidate is near.
 */
export function suggestNearest(
  word: string,
  candidates: readonly string[],
  quote = (nearest: string) => `"${nearest}"`,
): string {
  const nearest = nearestWord(word, candidates);
  return nearest === undefined ? '' : `; did you mean ${quote(nearest)}?`;
}

function editDistance(left: string, right: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: right.length + 1 }, (_, column) => column);
  for (let row = 1; row <= left.length; row++) {
    const current = [row];
    for (let column = 1; column <= right.length; column++) {
      const replaced = previous[column - 1]! + (left[row - 1] === right[column - 1] ? 0 : 1);
      let best = Math.min(previous[column]! + 1, current[column - 1]! + 1, replaced);
      const swapped =
        row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      if (swapped) best = Math.min(best, beforePrevious[column - 2]! + 1);
      current.push(best);
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[right.length]!;
}

/**
 * A problem of a configuration.
 * `path` is written as in the file, and `message` says what to do.
 */
export interface ConfigProblem {
  readonly path: string;
  readonly message: string;
}

type Path = readonly PropertyKey[];

/**
 * Translates zod's issues into one problem per misplaced key.
 * A key that is missing only because it was misspelt is not named a second time.
 */
export function describeIssues(
  issues: readonly z.core.$ZodIssue[],
  schema: z.ZodType,
  input: unknown,
): ConfigProblem[] {
  const problems = new Map<string, ConfigProblem>();
  const suggested = new Set<string>();
  for (const issue of issues) {
    if (issue.code !== 'unrecognized_keys') continue;
    const known = keysOf(findSchema(schema, issue.path));
    for (const key of issue.keys) {
      const path = formatPath([...issue.path, key]);
      const nearest = nearestWord(key, known);
      if (nearest !== undefined) suggested.add(formatPath([...issue.path, nearest]));
      const suggestion = suggestNearest(key, known);
      problems.set(path, { path, message: `is not a known key${suggestion} (known: ${known.join(', ')})` });
    }
  }
  for (const issue of issues) {
    if (issue.code === 'unrecognized_keys') continue;
    const path = formatPath(issue.path);
    const found = valueAt(input, issue.path);
    if (problems.has(path) || (found === undefined && suggested.has(path))) continue;
    problems.set(path, { path, message: `${issue.message}, ${describeFound(path, found)}` });
  }
  return [...problems.values()];
}

/**
 * Formats a path as `sources[0].text.columns`.
 * Keys that are no identifiers are quoted. The empty path is the configuration itself.
 */
export function formatPath(path: Path): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (/^[A-Za-z_$][\w$]*$/.test(String(step))) text += text === '' ? String(step) : `.${String(step)}`;
    else text += `[${JSON.stringify(String(step))}]`;
  }
  return text === '' ? 'the configuration' : text;
}

/**
 * Where a person may have written a secret itself: a header's value, a key or the address of a
 * webhook in place of its ARN, a database URL with its password in place of a host. A secret can
 * stand in place of the object around its place as well.
 */
const SECRET_PATHS = [
  /\.headers([.[]|$)|^service\.tokens(\.secret|$)|^rerankers\b.*\.key(\.|$)|\.secretArn$/,
  /(^|\.)(providerSecrets([.[]|$)|database(\.host)?$|alarms(\.(slack|webhook))?$)/,
];

/**
 * Describes the value that was found.
 * The values of `database.url`, of headers and in the place of secrets and hosts are never
 * repeated, because they may be or contain secrets.
 */
function describeFound(path: string, found: unknown): string {
  if (found === undefined) return 'but it is missing';
  if (found === null) return 'got null';
  if (path === 'database.url') return 'got another text';
  if (SECRET_PATHS.some(places => places.test(path))) return 'got another value';
  if (typeof found === 'string' || typeof found === 'number' || typeof found === 'boolean')
    return `got ${JSON.stringify(found).slice(0, 80)}`;
  return `got ${Array.isArray(found) ? 'an array' : `a value of type ${typeof found}`}`;
}

/** The value at a path of what somebody wrote. Undefined: nothing stands there. */
export function valueAt(input: unknown, path: Path): unknown {
  let value = input;
  for (const step of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[step];
  }
  return value;
}

/** Finds the schema of what stands at a path. Undefined: nothing is known of it. */
export function findSchema(schema: z.core.$ZodType, path: Path): z.core.$ZodType | undefined {
  let current = unwrap(schema);
  for (const step of path) {
    if (current instanceof z.ZodObject) current = unwrap(current.shape[String(step)]);
    else if (current instanceof z.ZodArray) current = unwrap(current.element);
    else if (current instanceof z.ZodRecord) current = unwrap(current.valueType);
    else return undefined;
  }
  return current;
}

/** Lists the keys that an object of the schema can have. */
export function keysOf(schema: z.core.$ZodType | undefined): string[] {
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}

function unwrap(schema: z.core.$ZodType | undefined): z.core.$ZodType | undefined {
  let current = schema;
  for (;;) {
    if (current instanceof z.ZodPipe) current = current.in;
    else if (current instanceof z.ZodUnion)
      current = current.options.find(option => option instanceof z.ZodObject);
    else if (
      current instanceof z.ZodOptional ||
      current instanceof z.ZodDefault ||
      current instanceof z.ZodPrefault
    )
      current = current.unwrap() as z.core.$ZodType;
    else return current;
  }
}
