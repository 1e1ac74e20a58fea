/**
 * Writes structured lines: an event name in kebab-case, and bounded fields.
 * Fields hold ids, hashes, codes and lengths. They never hold text of a row or a provider's
 * message.
 */
export interface Logger {
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;
