import type { BytePieces } from '../../core/vectors.ts';

/** The JSON of a reply, and the vectors taken out of it by what stands in their place. */
export interface TakenVectors {
  readonly text: string;
  readonly vectors: ReadonlyMap<string, Buffer>;
}

const KEY = Buffer.from('"embedding"');
const QUOTE = 0x22;
const COLON = 0x3a;
const SPACES: ReadonlySet<number> = new Set(Buffer.from(' \t\r\n'));
const FLOAT_BYTES = 4;

/**
 * Decodes the vectors of a reply where they lie, before the reply is parsed as JSON.
 * Nine tenths of a reply are base64. The parser would make a string of them, letter by letter, and
 * the string would be copied once more.
 * In valid JSON the quoted key, a colon and a quote begin the value of a key and nothing else:
 * within a string the quotes would be escaped. A reply is left whole where one of those strings is
 * no plain base64, so that the parser says what it is.
 * A vector takes the place of its letters, so `body` cannot be read afterwards. Other memory, for
 * the vectors or for the whole reply, would have to be cleared by the kernel first.
 */
export function takeVectors(body: BytePieces): TakenVectors {
  const reader = new PieceReader(body);
  const vectors = new Map<string, Buffer>();
  const replaced: { readonly letters: Buffer; readonly encoded: string }[] = [];
  const texts: string[] = [];
  let taken = 0;
  let end = 0;
  for (let key = reader.indexOf(KEY, 0); key >= 0; key = reader.indexOf(KEY, end)) {
    const start = findString(reader, key + KEY.length);
    end = start === undefined ? key + KEY.length : reader.indexOf(QUOTE, start);
    if (end < 0) break;
    if (start === undefined) continue;
    const letters = reader.slice(start, end);
    const encoded = letters.toString('latin1');
    replaced.push({ letters, encoded });
    const bytes = decodeBase64(encoded, findRoom(letters));
    if (bytes.length === 0) {
      for (const each of replaced) each.letters.write(each.encoded, 'latin1');
      return { text: body.toBuffer().toString('utf8'), vectors: new Map() };
    }
    const place = `#${vectors.size}`;
    vectors.set(place, bytes);
    texts.push(reader.slice(taken, start).toString('utf8'), place);
    taken = end;
  }
  texts.push(reader.slice(taken, body.length).toString('utf8'));
  return { text: texts.join(''), vectors };
}

/**
 * Decodes base64 into `room` and gives back the part of it that was written.
 * The part is empty where the text is no base64: `write` skips letters that are none, and the bytes
 * are fewer than the letters say. `write` also reads the URL alphabet, which no server means.
 */
export function decodeBase64(encoded: string, room: Buffer): Buffer {
  const padding = encoded.endsWith('==') ? 2 : encoded.endsWith('=') ? 1 : 0;
  const bytes = room.subarray(0, room.write(encoded, 'base64'));
  const complete = bytes.length === (encoded.length / 4) * 3 - padding;
  return complete && !encoded.includes('-') && !encoded.includes('_') ? bytes : room.subarray(0, 0);
}

/**
 * Finds where the letters begin of the string that is the value of the key before `offset`.
 * Undefined: the key has another value, or is no key.
 */
function findString(reader: PieceReader, offset: number): number | undefined {
  const colon = skipSpaces(reader, offset);
  if (reader.at(colon) !== COLON) return undefined;
  const quote = skipSpaces(reader, colon + 1);
  return reader.at(quote) === QUOTE ? quote + 1 : undefined;
}

function skipSpaces(reader: PieceReader, offset: number): number {
  let place = offset;
  while (SPACES.has(reader.at(place) ?? 0)) place += 1;
  return place;
}

/**
 * Finds the room for a vector among its letters, aligned so that its floats can be viewed.
 * Four letters become three bytes. Where that leaves too little to skip, the room is not aligned.
 */
function findRoom(letters: Buffer): Buffer {
  const skipped = (FLOAT_BYTES - (letters.byteOffset % FLOAT_BYTES)) % FLOAT_BYTES;
  const fits = skipped + Math.ceil((letters.length * 3) / 4) <= letters.length;
  return skipped > 0 && fits ? letters.subarray(skipped) : letters;
}

/**
 * Reads bytes that lie in several pieces as if they lay in one.
 * Offsets count from the beginning of the first piece. Reading on from the last offset is quick.
 */
class PieceReader {
  readonly #pieces: readonly Buffer[];
  readonly #starts: readonly number[];
  readonly #length: number;
  #current = 0;

  constructor({ pieces, length }: BytePieces) {
    let start = 0;
    this.#starts = pieces.map(piece => {
      start += piece.length;
      return start - piece.length;
    });
    this.#pieces = pieces;
    this.#length = length;
  }

  /** The byte at `offset`; undefined beyond the end. */
  at(offset: number): number | undefined {
    const place = this.#find(offset);
    return this.#pieces[place]?.[offset - this.#starts[place]!];
  }

  /** The first place of `value` at or after `offset`; -1 where there is none. */
  indexOf(value: Buffer | number, offset: number): number {
    const reach = typeof value === 'number' ? 0 : value.length - 1;
    for (let place = this.#find(offset); place < this.#pieces.length; place += 1) {
      const piece = this.#pieces[place]!;
      const start = this.#starts[place]!;
      const found = piece.indexOf(value, Math.max(0, offset - start));
      if (found >= 0) return start + found;
      if (reach === 0) continue;
      // A value may begin in this piece and end in a later one.
      const seam = Math.max(offset, start + piece.length - reach);
      const across = this.slice(seam, start + piece.length + reach).indexOf(value);
      if (across >= 0) return seam + across;
    }
    return -1;
  }

  /** The bytes themselves where they lie in one piece, else a copy; fewer bytes at the end. */
  slice(from: number, to: number): Buffer {
    const end = Math.min(to, this.#length);
    const place = this.#find(from);
    const piece = this.#pieces[place];
    if (piece === undefined) return Buffer.alloc(0);
    const start = this.#starts[place]!;
    if (end <= start + piece.length) return piece.subarray(from - start, end - start);
    const parts: Buffer[] = [];
    for (let next = place; next < this.#pieces.length && this.#starts[next]! < end; next += 1) {
      const offset = this.#starts[next]!;
      parts.push(this.#pieces[next]!.subarray(Math.max(0, from - offset), end - offset));
    }
    return Buffer.concat(parts);
  }

  /** The index of the piece that holds a byte; the number of pieces beyond the end. */
  #find(offset: number): number {
    if (offset >= this.#length) return this.#pieces.length;
    while (this.#starts[this.#current]! > offset) this.#current -= 1;
    while (this.#starts[this.#current]! + this.#pieces[this.#current]!.length <= offset) this.#current += 1;
    return this.#current;
  }
}
