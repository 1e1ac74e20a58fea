import type pg from 'pg';
import { BytePieces } from '../../core/vectors/byte-pieces.ts';
import { composeBind } from './compose-bind.ts';

/** Below this a copy costs less than another piece for the socket. */
const LARGE_BYTES = 65_536;

/**
 * Lets a connection send large Buffers among a statement's values as they are. The driver builds a message in one piece of memory, which it
 * enlarges as it goes: a batch of vectors would be copied twice, each time into memory that the kernel clears first, before the socket copies it.
 */
export function sendBuffersUncopied(connection: pg.Connection): void {
  const bind = connection.bind.bind(connection);
  connection.bind = (config, more) => {
    const holdsLarge = config?.values?.some(isLarge);
    if (!config || !holdsLarge) return bind(config, more);
    const { stream } = connection;
    // As the driver does with a connection that is gone: the statement learns of it by the connection's own error.
    if (stream.writable) for (const piece of composeBind(config, LARGE_BYTES)) stream.write(piece);
  };
}

function isLarge(value: unknown): boolean {
  return (Buffer.isBuffer(value) || value instanceof BytePieces) && value.length >= LARGE_BYTES;
}
