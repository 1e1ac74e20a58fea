import { parseArgs } from 'node:util';
import { nearestWord } from '../../lib/core/config/describe-issues.ts';
import { UsageError } from '../../lib/core/errors.ts';
import { isInstant } from '../../lib/core/outcomes.ts';
import type { Terminal } from './terminal.ts';

/**
 * A flag of a command.
 * `read` throws `UsageError` that names the flag, the value and what was expected.
 */
export interface Flag<Value> {
  /** What stands for the value in the help text; undefined: the flag takes none. */
  readonly placeholder?: string;
  readonly summary: string;
  read(text: string, name: string): Value;
}

export function switchFlag(summary: string): Flag<true> {
  return { summary, read: () => true };
}

export function textFlag(placeholder: string, summary: string): Flag<string> {
  return {
    placeholder,
    summary,
    read: (text, name) => {
      if (text.trim() === '') throw badValue(name, text, `a value for ${placeholder}`);
      return text;
    },
  };
}

export function wholeNumberFlag(
  placeholder: string,
  summary: string,
  range: { readonly least: number; readonly most: number },
): Flag<number> {
  return {
    placeholder,
    summary,
    read: (text, name) => {
      const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
      if (value >= range.least && value <= range.most) return value;
      throw badValue(name, text, `a whole number from ${range.least} to ${range.most}`);
    },
  };
}

/** A flag for several whole numbers, parted by commas, in the order given. */
export function wholeNumbersFlag(
  placeholder: string,
  summary: string,
  range: { readonly least: number; readonly most: number },
): Flag<readonly number[]> {
  const one = wholeNumberFlag(placeholder, summary, range);
  return {
    placeholder,
    summary,
    read: (text, name) => text.split(',').map(part => one.read(part.trim(), name)),
  };
}

const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

/** A flag for a number above 0, with or without decimals. */
export function amountFlag(placeholder: string, summary: string): Flag<number> {
  return {
    placeholder,
    summary,
    read: (text, name) => {
      const value = /^\d{1,9}(\.\d{1,9})?$/.test(text) ? Number(text) : 0;
      if (value > 0) return value;
      throw badValue(name, text, 'a number above 0 such as 1300 or 0.92');
    },
  };
}

/** A flag for a currency, by its three letters of ISO 4217. */
export function currencyFlag(placeholder: string, summary: string): Flag<string> {
  return {
    placeholder,
    summary,
    read: (text, name) => {
      if (Intl.supportedValuesOf('currency').includes(text)) return text;
      throw badValue(name, text, 'the three letters of a currency such as KRW');
    },
  };
}

/** A flag for a duration, read in milliseconds. A bare number is seconds. */
export function durationFlag(placeholder: string, summary: string): Flag<number> {
  return {
    placeholder,
    summary,
    read: (text, name) => {
      const [, count, unit] = /^(\d{1,9})(ms|s|m|h)?$/.exec(text) ?? [];
      if (count === undefined || Number(count) === 0)
        throw badValue(name, text, 'a duration such as 90s, 5m or 1h');
      return Number(count) * unitMs[(unit ?? 's') as keyof typeof unitMs];
    },
  };
}

/** A flag for a time in ISO 8601: a day (its midnight in UTC) or a time with its zone. */
export function instantFlag(placeholder: string, summary: string): Flag<string> {
  return {
    placeholder,
    summary,
    read: (text, name) => {
      if (isInstant(text)) return text;
      throw badValue(name, text, 'a day such as 2026-03-01 or a time such as 2026-03-01T12:00:00Z');
    },
  };
}

function badValue(name: string, text: string, expected: string): UsageError {
  return new UsageError(`--${name} ${JSON.stringify(text)}: expected ${expected}.`);
}

export type Flags = Readonly<Record<string, Flag<unknown>>>;
export type FlagValues<Known extends Flags> = {
  readonly [Name in keyof Known]?: Known[Name] extends Flag<infer Value> ? Value : never;
};

/**
 * Reads the flags of a command line, and what stands between them.
 * @throws UsageError for a flag that is not known (with the nearest one), and for a value that is
 * missing, superfluous or wrong
 */
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

/**
 * Shows what a command or a script is for, and its flags.
 * `details` join the object of `--json`.
 */
export function showFlags(
  shown: {
    readonly name: string;
    readonly usage: string;
    readonly summary: string;
    readonly flags: Flags;
    readonly details?: object;
  },
  terminal: Terminal,
): void {
  const flags = Object.entries(shown.flags).map(([flag, { placeholder, summary }]) => ({
    usage: `--${flag}${placeholder === undefined ? '' : ` ${placeholder}`}`,
    summary,
  }));
  terminal.result({ command: shown.name, summary: shown.summary, flags, ...shown.details });
  terminal.line(`${shown.usage}: ${shown.summary}`);
  terminal.line();
  const width = Math.max(...flags.map(flag => flag.usage.length));
  for (const { usage, summary } of flags) terminal.line(`  ${usage.padEnd(width)}  ${summary}`);
}
