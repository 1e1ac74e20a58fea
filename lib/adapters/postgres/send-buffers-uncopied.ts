import type pg from 'pg';
import { BytePieces } from '../../core/vectors/byte-pieces.ts';
import { composeBind } from './compose-bind.ts';

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
