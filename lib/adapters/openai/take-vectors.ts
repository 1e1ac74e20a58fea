import type { BytePieces } from '../../core/vectors/byte-pieces.ts';
import { decodeBase64 } from './decode-base64.ts';
import { PieceReader } from './piece-reader.ts';

/** A reply's JSON, and the vectors that were taken out of it, by what stands there in their place. */
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
 * Decodes the vectors of a reply where they stand, before its JSON is parsed: nine tenths of a reply are base64, which would become a string, be parsed
 * letter by letter, and be copied once more. In valid JSON the key's letters within quotes, a colon and a quote begin a key's value and nothing
 * else: within a string the quotes would be escaped. A reply with a string there that is no plain base64 is left whole, for the parser to say what it is.
 *
 * The vectors take the place of their letters in `body`, which is used up by it, and lies in the pieces that came from the socket: other memory, for
 * all pieces or for the vectors, would have to be cleared by the kernel first.
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

/** Where the letters of a string begin that is the value of the key before `offset`; undefined: it has another value, or is no key. */
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

/** From where floats can be looked at as they lie, if the letters, of which every four become three bytes, leave so much room. */
function findRoom(letters: Buffer): Buffer {
  const skipped = (FLOAT_BYTES - (letters.byteOffset % FLOAT_BYTES)) % FLOAT_BYTES;
  const fits = skipped + Math.ceil((letters.length * 3) / 4) <= letters.length;
  return skipped > 0 && fits ? letters.subarray(skipped) : letters;
}
