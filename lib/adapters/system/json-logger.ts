import type { Clock } from '../../ports/clock.ts';
import type { LogFields, Logger } from '../../ports/logger.ts';

/**
 * One JSON object per line, without the line end. `context` is on every line; a field of the same name loses against it. `timestamp` and
 * `level` are as Lambda expects them of lines that are JSON already: it filters by them, and gives a line without them its own.
 */
export function createJsonLogger(
  write: (line: string) => void,
  clock: Clock,
  context: LogFields = {},
): Logger {
  const line =
    (level: string) =>
    (event: string, fields: LogFields = {}) =>
      write(
        JSON.stringify({
          ...fields,
          ...context,
          timestamp: new Date(clock.now()).toISOString(),
          level,
          event,
        }),
      );
  return { info: line('INFO'), warn: line('WARN'), error: line('ERROR') };
}
