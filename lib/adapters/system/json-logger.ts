import type { Clock } from '../../ports/clock.ts';
import type { LogFields, Logger } from '../../ports/logger.ts';

/**
 * Creates a logger that writes one JSON object per line, without the line end.
 * `context` is on every line and wins over a field of the same name. `timestamp` and `level` are as
 * Lambda expects them in lines that are already JSON: Lambda filters by them, and adds its own to a
 * line without them.
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
