import type { BytePieces } from '../../core/vectors/byte-pieces.ts';

/** Reads bytes that lie in several pieces as if they lay in one. Offsets are from the beginning of the first; reading on from the last one is quick. */
export class PieceReader {
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

  /** Undefined beyond the end. */
  at(offset: number): number | undefined {
    const place = this.#find(offset);
    return this.#pieces[place]?.[offset - this.#starts[place]!];
  }

  /** -1 where it does not stand at or after `offset`. */
  indexOf(value: Buffer | number, offset: number): number {
    const reach = typeof value === 'number' ? 0 : value.length - 1;
    for (let place = this.#find(offset); place < this.#pieces.length; place += 1) {
      const piece = this.#pieces[place]!;
      const start = this.#starts[place]!;
      const found = piece.indexOf(value, Math.max(0, offset - start));
      if (found >= 0) return start + found;
      if (reach === 0) continue;
      // What begins in this piece and ends in a later one.
      const seam = Math.max(offset, start + piece.length - reach);
      const across = this.slice(seam, start + piece.length + reach).indexOf(value);
      if (across >= 0) return seam + across;
    }
    return -1;
  }

  /** The bytes themselves where they lie in one piece, else a copy; fewer at the end. */
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

  /** The place of the piece that holds the byte; their number beyond the end. */
  #find(offset: number): number {
    if (offset >= this.#length) return this.#pieces.length;
    while (this.#starts[this.#current]! > offset) this.#current -= 1;
    while (this.#starts[this.#current]! + this.#pieces[this.#current]!.length <= offset) this.#current += 1;
    return this.#current;
  }
}
