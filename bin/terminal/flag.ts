import { UsageError } from '../../lib/core/errors.ts';
import { isInstant } from '../../lib/core/outcomes.ts';

/** A flag of a command. `read` throws `UsageError` that names flag, value and what was expected. */
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

const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

/** In milliseconds. A bare number is seconds. */
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

/** ISO 8601: a day (its midnight in UTC) or a time with its zone. */
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
