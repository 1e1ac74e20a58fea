import { parseJson } from '../../lib/core/messages.ts';

/** `time component LEVEL event key=value …`; a line that is not of our logger stays as it is. */
export function formatLogLine(line: {
  readonly component: string;
  readonly atMs: number;
  readonly message: string;
}): string {
  const head = `${new Date(line.atMs).toISOString()} ${line.component.padEnd(7)}`;
  const fields = parseFields(line.message);
  if (fields === undefined) return `${head} ${line.message.trim()}`;
  const { level, event, timestamp: _timestamp, stage: _stage, component: _component, ...rest } = fields;
  const values = Object.entries(rest).map(([name, value]) => `${name}=${value}`);
  return [head, String(level).padEnd(5), String(event), ...values].join(' ');
}

function parseFields(message: string): Record<string, unknown> | undefined {
  const fields = parseJson(message);
  return typeof fields === 'object' && fields !== null && 'event' in fields
    ? (fields as Record<string, unknown>)
    : undefined;
}
