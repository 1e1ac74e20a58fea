import type { Clock } from '../../ports/clock.ts';
import type { LogFields, Logger } from '../../ports/logger.ts';

/** One JSON object per line, without the line end. `context` is on every line; a field of the same name loses against it. */
export function createJsonLogger(
  write: (line: string) => void,
  clock: Clock,
  context: LogFields = {},
): Logger {
  const line =
    (level: string) =>
    (event: string, fields: LogFields = {}) =>
      write(
        JSON.stringify({ ...fields, ...context, time: new Date(clock.now()).toISOString(), level, event }),
      );
  return { info: line('info'), warn: line('warn'), error: line('error') };
}
