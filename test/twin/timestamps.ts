/** Microseconds since the epoch, as PostgreSQL counts them; infinite where the value is `-infinity` or `infinity`. */
export type Micros = number;

const SECOND = 1_000_000;
const TEXT = /^(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?\+00$/;
/** `YYYY-MM-DD HH:MM:SS` of the second that was printed last: most timestamps of a run are close together. */
let lastSecond = Number.NaN;
let lastText = '';

/** As a session in UTC prints a `timestamptz`. */
export function printTimestamp(at: Micros): string {
  if (!Number.isFinite(at)) return at < 0 ? '-infinity' : 'infinity';
  const second = Math.floor(at / SECOND);
  if (second !== lastSecond) {
    lastText = new Date(second * 1000).toISOString().slice(0, 19).replace('T', ' ');
    lastSecond = second;
  }
  const fraction = at - second * SECOND;
  if (fraction === 0) return `${lastText}+00`;
  return `${lastText}.${String(fraction).padStart(6, '0').replace(/0+$/, '')}+00`;
}

export function readTimestamp(text: string): Micros {
  if (text === '-infinity') return Number.NEGATIVE_INFINITY;
  if (text === 'infinity') return Number.POSITIVE_INFINITY;
  const parts = TEXT.exec(text);
  if (!parts) throw new RangeError('This is no timestamp in UTC as PostgreSQL prints it.');
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const milliseconds = Date.UTC(year, month - 1, day, hour, minute, second);
  return milliseconds * 1000 + Number((parts[7] ?? '').padEnd(6, '0'));
}

export const printNullable = (at: Micros | null): string | null => (at === null ? null : printTimestamp(at));

export const readNullable = (text: string | null): Micros | null =>
  text === null ? null : readTimestamp(text);

export const seconds = (count: number): Micros => Math.round(count * SECOND);
