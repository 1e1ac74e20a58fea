/** Bytes that lie in several buffers and are meant as one value. */
export class BytePieces {
  readonly pieces: readonly Buffer[];
  readonly length: number;

  constructor(pieces: readonly Buffer[]) {
    this.pieces = pieces;
    this.length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  }

  /** Returns the bytes in one buffer: a copy, unless they lie in one already. */
  toBuffer(): Buffer {
    const [first] = this.pieces;
    return first !== undefined && this.pieces.length === 1 ? first : Buffer.concat(this.pieces, this.length);
  }

  /** Returns the bytes for `pg`, which calls this method on values that it does not know. */
  toPostgres(): Buffer {
    return this.toBuffer();
  }
}
