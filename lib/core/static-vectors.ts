/**
 * A table of token vectors: one row of int8 and one scale per WordPiece token.
 * The value of a number is the scale of its row times the int8.
 */
interface StaticTable {
  /** Token → row. `##` marks a piece inside a word. */
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly scales: Float32Array;
  /** Row by row, `dimensions` numbers each. */
  readonly rows: Int8Array;
}

/**
 * Reads a table. The scales are little-endian, as every machine that runs Node is.
 * `weights` is viewed where it lies on a multiple of four bytes, else copied.
 */
function readTable(dimensions: number, vocabulary: string, weights: Uint8Array<ArrayBuffer>): StaticTable {
  const tokens = vocabulary.trimEnd().split('\n');
  const { buffer, byteOffset } = weights.byteOffset % 4 === 0 ? weights : weights.slice();
  return {
    vocabulary: new Map(tokens.map((token, row) => [token, row])),
    scales: new Float32Array(buffer, byteOffset, tokens.length),
    rows: new Int8Array(buffer, byteOffset + tokens.length * 4, tokens.length * dimensions),
  };
}

/** Below this sum of squares a sum of rows has no direction. */
const NO_DIRECTION = 1e-12;

/** Words whose rows are remembered: the few that most of a language is made of. */
const REMEMBERED_WORDS = 50_000;

/**
 * Makes the function that turns a text into its vector and the number of its tokens.
 * `vocabulary` holds a token a line; `weights` holds a float32 scale a token, then `dimensions`
 * int8 a token (models/static-minilm/README.md).
 * The vector is the sum of the tokens' rows, scaled to length 1, as float32, little-endian.
 * Undefined: the text has no token of the table, or its rows cancel each other out.
 */
export function createStaticEmbedder(
  dimensions: number,
  vocabulary: string,
  weights: Uint8Array<ArrayBuffer>,
): (text: string) => { readonly vector: Buffer | undefined; readonly tokens: number } {
  const { scales, rows, ...table } = readTable(dimensions, vocabulary, weights);
  const sums = new Float64Array(dimensions);
  const remembered = new Map<string, readonly number[]>();
  const rowsOf = (word: string): readonly number[] => {
    if (word.length > 2 * MAX_WORD_CHARACTERS) return [];
    let found = remembered.get(word);
    if (found === undefined) {
      found = findPieces(word, table.vocabulary);
      if (remembered.size >= REMEMBERED_WORDS) remembered.clear();
      remembered.set(word, found);
    }
    return found;
  };
  return text => {
    sums.fill(0);
    let tokens = 0;
    visitWords(text, word => {
      for (const row of rowsOf(word)) {
        tokens += 1;
        const scale = scales[row]!;
        const start = row * dimensions;
        for (let place = 0; place < dimensions; place += 1) sums[place]! += scale * rows[start + place]!;
      }
    });
    return { vector: toUnitLength(sums), tokens };
  };
}

function toUnitLength(sums: Float64Array): Buffer | undefined {
  let squares = 0;
  // By position: an iterator takes five times as long.
  for (let place = 0; place < sums.length; place += 1) squares += sums[place]! * sums[place]!;
  if (squares < NO_DIRECTION) return undefined;
  const factor = 1 / Math.sqrt(squares);
  const vector = new Float32Array(sums.length);
  for (let place = 0; place < sums.length; place += 1) vector[place] = sums[place]! * factor;
  return Buffer.from(vector.buffer);
}

/** Longer words have no rows, as in BERT's tokenizer. In code points. */
const MAX_WORD_CHARACTERS = 100;

/** Cuts a word into the longest pieces of the vocabulary; empty where a part of it has none. */
function findPieces(word: string, vocabulary: ReadonlyMap<string, number>): readonly number[] {
  const characters = Array.from(word);
  if (characters.length > MAX_WORD_CHARACTERS) return [];
  const pieces: number[] = [];
  for (let start = 0; start < characters.length; ) {
    let end = characters.length;
    let row: number | undefined;
    for (; end > start; end -= 1) {
      row = vocabulary.get((start > 0 ? '##' : '') + characters.slice(start, end).join(''));
      if (row !== undefined) break;
    }
    if (row === undefined) return [];
    pieces.push(row);
    start = end;
  }
  return pieces;
}

/**
 * Visits the words of a text in lower case and without accents, as BERT's uncased tokenizer does.
 * White space separates words; a punctuation sign or a CJK character is a word of its own; marks
 * and control characters are dropped.
 */
function visitWords(text: string, visit: (word: string) => void): void {
  const plain = (NOT_ASCII.test(text) ? text.normalize('NFD') : text).toLowerCase();
  // What stands of the current word before `start`, where a dropped character split it.
  let before = '';
  let start = 0;
  const end = (position: number) => {
    const word = before + plain.slice(start, position);
    before = '';
    if (word !== '') visit(word);
  };
  for (let position = 0, width = 1; position < plain.length; position += width) {
    const code = plain.codePointAt(position)!;
    width = code > 0xffff ? 2 : 1;
    const kind = kindOf(code);
    if (kind === LETTER) continue;
    if (kind === DROPPED) before += plain.slice(start, position);
    else end(position);
    start = position + width;
    if (kind === ALONE) visit(plain.slice(position, start));
  }
  end(plain.length);
}

const NOT_ASCII = /[^\0-\x7f]/;

const LETTER = 1;
const SPACE = 2;
const DROPPED = 3;
const ALONE = 4;

/** The kind of each code point that was met; 0: it was not met yet. Four patterns decide it. */
const kinds = new Uint8Array(0x110000);

function kindOf(code: number): number {
  let kind = kinds[code]!;
  if (kind === 0) {
    kind = decideKind(String.fromCodePoint(code));
    kinds[code] = kind;
  }
  return kind;
}

const SPACES = /^[\t\n\r\p{Zs}]$/u;
const DROPPED_CHARACTERS = /^[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}\p{Mn}\uFFFD]$/u;
/** Punctuation, the ASCII signs that Unicode calls symbols, and the ideographs of BERT's list. */
const SINGLE_WORDS = /^[\p{P}$+<=>^`|~\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u{20000}-\u{2fa1f}]$/u;

function decideKind(character: string): number {
  if (SPACES.test(character)) return SPACE;
  if (DROPPED_CHARACTERS.test(character)) return DROPPED;
  return SINGLE_WORDS.test(character) ? ALONE : LETTER;
}
