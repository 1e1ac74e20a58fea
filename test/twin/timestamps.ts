/** Microseconds since 1970; infinite for the values `-infinity` and `infinity`. */
export type Micros = number;

const SECOND = 1_000_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const TEXT = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?\+00$/;
const TWO_DIGITS = Array.from({ length: 60 }, (_, number) => String(number).padStart(2, '0'));
/** Remembers days by their number since 1970 and by their date: the same few come often. */
const dates = new Map<number, string>();
const days = new Map<string, number>();

/** Prints a time as a session in UTC prints a `timestamptz`. */
export function printTimestamp(at: Micros): string {
  if (!Number.isFinite(at)) return at < 0 ? '-infinity' : 'infinity';
  const day = Math.floor(at / DAY);
  const within = at - day * DAY;
  const hour = TWO_DIGITS[Math.floor(within / HOUR)];
  const minute = TWO_DIGITS[Math.floor((within % HOUR) / MINUTE)];
  const second = TWO_DIGITS[Math.floor((within % MINUTE) / SECOND)];
  const fraction = within % SECOND;
  return `${printDate(day)} ${hour}:${minute}:${second}${fraction === 0 ? '' : printFraction(fraction)}+00`;
}

function printDate(day: number): string {
  let date = dates.get(day);
  if (date === undefined) {
    date = new Date((day * DAY) / 1000).toISOString().slice(0, 10);
    dates.set(day, date);
  }
  return date;
}

/** Prints the fraction of a second without the zeros at its end. */
function printFraction(micros: number): string {
  const isWholeMs = micros % 1000 === 0;
  let text = isWholeMs ? String(1000 + micros / 1000) : String(SECOND + micros);
  while (text.endsWith('0')) text = text.slice(0, -1);
  return `.${text.slice(1)}`;
}

export function readTimestamp(text: string): Micros {
  if (text === '-infinity') return Number.NEGATIVE_INFINITY;
  if (text === 'infinity') return Number.POSITIVE_INFINITY;
  if (!TEXT.test(text)) throw new RangeError('This is no timestamp in UTC as PostgreSQL prints it.');
  const clock = readDigits(text, 11) * HOUR + readDigits(text, 14) * MINUTE + readDigits(text, 17) * SECOND;
  return readDate(text.slice(0, 10)) * DAY + clock + readFraction(text);
}

const readDigits = (text: string, from: number): number =>
  (text.charCodeAt(from) - 48) * 10 + text.charCodeAt(from + 1) - 48;

function readFraction(text: string): Micros {
  const digits = text.length - '2026-01-01 00:00:00.+00'.length;
  return digits < 1 ? 0 : Number(text.slice(20, 20 + digits)) * 10 ** (6 - digits);
}

function readDate(date: string): number {
  let day = days.get(date);
  if (day === undefined) {
    const [year, month, dayOfMonth] = date.split('-').map(Number);
    day = Date.UTC(year ?? 0, (month ?? 1) - 1, dayOfMonth) / (DAY / 1000);
    days.set(date, day);
  }
  return day;
}

export const printNullable = (at: Micros | null): string | null => (at === null ? null : printTimestamp(at));

export const readNullable = (text: string | null): Micros | null =>
  text === null ? null : readTimestamp(text);

export const seconds = (count: number): Micros => Math.round(count * SECOND);
