const INSTANT = /^(\d{4}-\d{2}-\d{2})(T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2}))?$/;

/**
 * Whether a value is `2026-03-01` (midnight UTC) or a time with its zone.
 * The day must exist in the calendar.
 */
export function isInstant(value: unknown): boolean {
  const [text, day] = typeof value === 'string' ? (INSTANT.exec(value) ?? []) : [];
  if (text === undefined || day === undefined || Number.isNaN(Date.parse(text))) return false;
  const midnight = Date.parse(`${day}T00:00:00Z`);
  return !Number.isNaN(midnight) && new Date(midnight).toISOString().startsWith(day);
}
