import type { LogFields, Logger } from '../../lib/ports/process.ts';

export interface RecordingLogger extends Logger {
  readonly lines: { level: string; event: string; fields: LogFields }[];
}

export function createRecordingLogger(): RecordingLogger {
  const lines: RecordingLogger['lines'] = [];
  const at =
    (level: string) =>
    (event: string, fields: LogFields = {}) => {
      lines.push({ level, event, fields });
    };
  return { lines, info: at('info'), warn: at('warn'), error: at('error') };
}
