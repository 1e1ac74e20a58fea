import type pg from 'pg';
import { sha256Hex } from '../../core/text.ts';
import { BytePieces } from '../../core/vectors.ts';
import { isPrepared } from '../sql/fragments.ts';

const names = new Map<string, string>();

/**
 * Names the statements of a client that are marked as prepared.
 * By the name, `pg` has the server keep their plan for the session.
 */
export function nameStatements(client: pg.PoolClient): void {
  const query = client.query.bind(client) as (...given: unknown[]) => unknown;
  const named = (first: unknown, ...rest: unknown[]) =>
    typeof first === 'string' && isPrepared(first)
      ? query({ name: nameOf(first), text: first, values: rest[0] })
      : query(first, ...rest);
  client.query = named as typeof client.query;
}

function nameOf(text: string): string {
  const known = names.get(text);
  if (known !== undefined) return known;
  const name = `freshet_${sha256Hex(text).slice(0, 32)}`;
  names.set(text, name);
  return name;
}

/**
 * Bytes from which a value is sent as a piece of its own.
 * Below this size, a copy costs less than another piece for the socket.
 */
const LARGE_BYTES = 65_536;

/**
 * Lets a connection send the large Buffers among a statement's values without a copy.
 * The driver builds a message in one piece of memory, which it enlarges as it goes. Before the
 * socket copies it, a batch of vectors would be copied twice, each time into memory that the kernel
 * clears first.
 */
export function sendBuffersUncopied(connection: pg.Connection): void {
  const bind = connection.bind.bind(connection);
  connection.bind = (config, more) => {
    const holdsLarge = config?.values?.some(isLarge);
    if (!config || !holdsLarge) return bind(config, more);
    const { stream } = connection;
    // Nothing is written to a connection that is gone; the driver does the same.
    // The statement learns of it by the connection's own error.
    if (stream.writable) for (const piece of composeBind(config, LARGE_BYTES)) stream.write(piece);
  };
}

function isLarge(value: unknown): boolean {
  return (Buffer.isBuffer(value) || value instanceof BytePieces) && value.length >= LARGE_BYTES;
}

const TEXT = 0;
const BINARY = 1;

/**
 * Composes PostgreSQL's Bind message, which asks for all results in text.
 * The layout is from "Message Formats" in PostgreSQL's description of its protocol:
 * - `B` and the int32 length of the message without the `B`;
 * - the names of portal and statement, each ended by a zero byte;
 * - an int16 count and an int16 format per value;
 * - an int16 count and, per value, the int32 number of its bytes (−1: NULL) and the bytes;
 * - int16 1 and the int16 format of the results.
 *
 * Buffers of `largeBytes` and more become pieces of their own and are not copied.
 */
function composeBind(config: pg.BindConfig, largeBytes: number): Buffer[] {
  const { valueMapper = value => value } = config;
  const values = ((config.values ?? []) as unknown[]).map((value, place) =>
    value instanceof BytePieces
      ? { format: BINARY, pieces: value.pieces }
      : toPieces(valueMapper(value, place)),
  );
  const formats = values.map(({ format }) => format);
  const pieces = [
    Buffer.from(`${config.portal ?? ''}\0${config.statement ?? ''}\0`),
    int16s([values.length, ...formats, values.length]),
    ...values.flatMap(value =>
      value.pieces ? [int32(sumLengths(value.pieces)), ...value.pieces] : [int32(-1)],
    ),
    int16s([1, TEXT]),
  ];
  return joinSmall([Buffer.from('B'), int32(4 + sumLengths(pieces)), ...pieces], largeBytes);
}

function toPieces(value: unknown): { readonly format: number; readonly pieces?: readonly Buffer[] } {
  if (value === null || value === undefined) return { format: TEXT };
  if (Buffer.isBuffer(value)) return { format: BINARY, pieces: [value] };
  return { format: TEXT, pieces: [Buffer.from(String(value))] };
}

function sumLengths(pieces: readonly Buffer[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}

function joinSmall(pieces: readonly Buffer[], largeBytes: number): Buffer[] {
  const joined: Buffer[] = [];
  let small: Buffer[] = [];
  for (const piece of pieces) {
    if (piece.length < largeBytes) small.push(piece);
    else {
      joined.push(Buffer.concat(small), piece);
      small = [];
    }
  }
  return [...joined, Buffer.concat(small)];
}

function int32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function int16s(values: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(2 * values.length);
  for (const [position, value] of values.entries()) bytes.writeUInt16BE(value, 2 * position);
  return bytes;
}
