import { decodeBase64 } from './decode-base64.ts';

/** A reply's JSON, and the vectors that were taken out of it, by what stands there in their place. */
export interface TakenVectors {
  readonly text: string;
  readonly vectors: ReadonlyMap<string, Buffer>;
}

const KEY = Buffer.from('"embedding"');
const QUOTE = 0x22;
const COLON = 0x3a;
const SPACES: ReadonlySet<number> = new Set(Buffer.from(' \t\r\n'));
/** Bytes of a float32. */
const FLOAT_BYTES = 4;

/**
 * Decodes the vectors of a reply where they stand, before its JSON is parsed: nine tenths of a reply are base64, which would become a string, be parsed
 * letter by letter, and be copied once more. In valid JSON the key's letters within quotes, a colon and a quote begin a key's value and nothing
 * else: within a string the quotes would be escaped. A reply with a string there that is no plain base64 is left whole, for the parser to say what it is.
 *
 * The vectors take the place of their letters in `body`, which is used up by it: other memory for them would have to be cleared by the kernel first.
 */
export function takeVectors(body: Buffer): TakenVectors {
  const vectors = new Map<string, Buffer>();
  const replaced: { readonly start: number; readonly encoded: string }[] = [];
  const pieces: string[] = [];
  let taken = 0;
  let end = 0;
  for (let key = body.indexOf(KEY); key >= 0; key = body.indexOf(KEY, end)) {
    const start = findString(body, key + KEY.length);
    end = start === undefined ? key + KEY.length : body.indexOf(QUOTE, start);
    if (end < 0) break;
    if (start === undefined) continue;
    const encoded = body.toString('latin1', start, end);
    replaced.push({ start, encoded });
    const bytes = decodeBase64(encoded, findRoom(body, start, end));
    if (bytes.length === 0) {
      for (const each of replaced) body.write(each.encoded, each.start, 'latin1');
      return { text: body.toString('utf8'), vectors: new Map() };
    }
    const place = `#${vectors.size}`;
    vectors.set(place, bytes);
    pieces.push(body.toString('utf8', taken, start), place);
    taken = end;
  }
  pieces.push(body.toString('utf8', taken));
  return { text: pieces.join(''), vectors };
}

/** Where the letters of a string begin that is the value of the key before `offset`; undefined: it has another value, or is no key. */
function findString(body: Buffer, offset: number): number | undefined {
  const colon = skipSpaces(body, offset);
  if (body[colon] !== COLON) return undefined;
  const quote = skipSpaces(body, colon + 1);
  return body[quote] === QUOTE ? quote + 1 : undefined;
}

function skipSpaces(body: Buffer, offset: number): number {
  let place = offset;
  while (SPACES.has(body[place] ?? 0)) place += 1;
  return place;
}

/** From where floats can be looked at as they lie, if the letters, of which every four become three bytes, leave so much room. */
function findRoom(body: Buffer, start: number, end: number): Buffer {
  const skipped = (FLOAT_BYTES - ((body.byteOffset + start) % FLOAT_BYTES)) % FLOAT_BYTES;
  const fits = skipped + Math.ceil(((end - start) * 3) / 4) <= end - start;
  return body.subarray(fits ? start + skipped : start, end);
}
