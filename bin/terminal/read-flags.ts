import { parseArgs } from 'node:util';
import { nearestWord } from '../../lib/core/config/describe-issues.ts';
import { UsageError } from '../../lib/core/errors.ts';
import type { Flag } from './flag.ts';

export type Flags = Readonly<Record<string, Flag<unknown>>>;
export type FlagValues<Known extends Flags> = {
  readonly [Name in keyof Known]?: Known[Name] extends Flag<infer Value> ? Value : never;
};

/** @throws UsageError for a flag that is not known (with the nearest one), a value that is missing, superfluous or wrong. */
export function readFlags<Known extends Flags>(
  words: readonly string[],
  known: Known,
): { values: FlagValues<Known>; positionals: string[] } {
  const options = Object.fromEntries(
    Object.entries(known).map(([name, flag]) => [
      name,
      { type: flag.placeholder === undefined ? ('boolean' as const) : ('string' as const) },
    ]),
  );
  const { tokens } = parseArgs({
    args: [...words],
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const values: Record<string, unknown> = {};
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind !== 'option') continue;
    const name = token.rawName === '-h' ? 'help' : token.name;
    const flag = Object.hasOwn(known, name) ? known[name] : undefined;
    if (flag === undefined) throw unknownFlag(token.rawName, Object.keys(known));
    values[name] = readValue(flag, name, token.value);
  }
  return { values: values as FlagValues<Known>, positionals };
}

function readValue(flag: Flag<unknown>, name: string, value: string | undefined): unknown {
  if (flag.placeholder === undefined && value !== undefined)
    throw new UsageError(`--${name} takes no value, got ${JSON.stringify(value)}.`);
  if (flag.placeholder !== undefined && (value === undefined || value.startsWith('--')))
    throw new UsageError(`--${name} needs a value: --${name} ${flag.placeholder}.`);
  return flag.read(value ?? '', name);
}

function unknownFlag(given: string, known: readonly string[]): UsageError {
  const nearest = nearestWord(given.replace(/^-+/, ''), known);
  const suggestion = nearest === undefined ? '' : ` Did you mean --${nearest}?`;
  return new UsageError(
    `${given} is not a flag of this command.${suggestion}`,
    `Flags: ${known.map(name => `--${name}`).join(' ')}`,
  );
}
