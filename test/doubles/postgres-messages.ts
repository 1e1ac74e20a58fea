/**
 * Messages of PostgreSQL's protocol, as a server sends them.
 * The layout of each is in "Message Formats" of PostgreSQL's description of its protocol.
 */

/** Number of the process that answers. */
export const BACKEND = 4711;

export const READY = message('Z', Buffer.from('I'));

/** What follows a login that was accepted. */
export const LOGGED_IN = Buffer.concat([
  message('R', int32(0)),
  message('K', Buffer.concat([int32(BACKEND), int32(0)])),
  READY,
]);

/** Asks for the password in clear text. */
export const ASKS_FOR_PASSWORD = message('R', int32(3));

/** The type by its number, and the value as text. */
type Cell = readonly [type: number, value: string | null];

/** The answer to a SELECT of one row. */
export function answerRow(row: Readonly<Record<string, Cell>>): Buffer {
  const columns = Object.entries(row).map(([name, [type]]) =>
    Buffer.concat([
      ...[Buffer.from(`${name}\0`), int32(0), int16(0), int32(type)],
      ...[int16(-1), int32(-1), int16(0)],
    ]),
  );
  const cells = Object.values(row).map(([, value]) =>
    value === null ? int32(-1) : Buffer.concat([int32(value.length), Buffer.from(value)]),
  );
  return Buffer.concat([
    message('T', Buffer.concat([int16(columns.length), ...columns])),
    message('D', Buffer.concat([int16(cells.length), ...cells])),
    message('C', Buffer.from('SELECT 1\0')),
    READY,
  ]);
}

/** An error of a server that is careless with its words. */
export function errorMessage(severity: 'ERROR' | 'FATAL', sqlState: string, words: string): Buffer {
  return message('E', Buffer.from(`S${severity}\0C${sqlState}\0M${words}\0\0`));
}

export function message(type: string, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}
