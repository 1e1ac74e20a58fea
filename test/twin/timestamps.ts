/** Microseconds since the epoch, as PostgreSQL counts them; infinite where the value is `-infinity` or `infinity`. */
export type Micros = number;

const SECOND = 1_000_000;
const TEXT = /^(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?\+00$/;
/** The same few timestamps travel again and again: what was printed or read lately is known. */
const printed = new Map<Micros, string>();
const read = new Map<string, Micros>();
const MOST_KNOWN = 4_096;

/** As a session in UTC prints a `timestamptz`. */
export function printTimestamp(at: Micros): string {
  const known = printed.get(at);
  if (known !== undefined) return known;
  const text = print(at);
  remember(at, text);
  return text;
}

export function readTimestamp(text: string): Micros {
  const known = read.get(text);
  if (known !== undefined) return known;
  const at = parse(text);
  remember(at, text);
  return at;
}

function remember(at: Micros, text: string): void {
  if (printed.size >= MOST_KNOWN) {
    printed.clear();
    read.clear();
  }
  printed.set(at, text);
  read.set(text, at);
}

function print(at: Micros): string {
  if (!Number.isFinite(at)) return at < 0 ? '-infinity' : 'infinity';
  const second = Math.floor(at / SECOND);
  const text = new Date(second * 1000).toISOString().slice(0, 19).replace('T', ' ');
  const fraction = at - second * SECOND;
  if (fraction === 0) return `${text}+00`;
  return `${text}.${String(fraction).padStart(6, '0').replace(/0+$/, '')}+00`;
}

function parse(text: string): Micros {
  if (text === '-infinity') return Number.NEGATIVE_INFINITY;
  if (text === 'infinity') return Number.POSITIVE_INFINITY;
  const parts = TEXT.exec(text);
  if (!parts) throw new RangeError('This is no timestamp in UTC as PostgreSQL prints it.');
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map(Number);
  const milliseconds = Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute, second);
  return milliseconds * 1000 + Number((parts[7] ?? '').padEnd(6, '0'));
}

export const printNullable = (at: Micros | null): string | null => (at === null ? null : printTimestamp(at));

export const readNullable = (text: string | null): Micros | null =>
  text === null ? null : readTimestamp(text);

export const seconds = (count: number): Micros => Math.round(count * SECOND);
