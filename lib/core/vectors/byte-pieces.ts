/** Bytes that lie in several places and are meant as one value. */
export class BytePieces {
  readonly pieces: readonly Buffer[];
  readonly length: number;

  constructor(pieces: readonly Buffer[]) {
    this.pieces = pieces;
    this.length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  }

  /** All in one piece: a copy, unless they lie in one already. */
  toBuffer(): Buffer {
    const [first] = this.pieces;
    return first !== undefined && this.pieces.length === 1 ? first : Buffer.concat(this.pieces, this.length);
  }

  /** By this name `pg` asks a value that it does not know. */
  toPostgres(): Buffer {
    return this.toBuffer();
  }
}
