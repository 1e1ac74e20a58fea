/** Structured lines: an event name in kebab-case and bounded fields. Ids, hashes, codes, lengths; never text of a row, never a provider's message. */
export interface Logger {
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;
