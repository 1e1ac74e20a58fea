import { PGlite } from '@electric-sql/pglite';
import type { Traffic } from './cost-lines.ts';

/** What of PGlite carries messages of PostgreSQL's protocol; a socket would carry the same bytes. */
interface Protocol {
  execProtocol(message: Uint8Array, ...rest: unknown[]): Promise<{ messages: readonly { length: number }[] }>;
  execProtocolStream(message: Uint8Array, ...rest: unknown[]): Promise<readonly { length: number }[]>;
}

/** The byte that says what a message is stands before its length. */
const TYPE_BYTES = 1;

/** Counts the protocol of every embedded database of this process until `stop`. */
export function countDatabaseBytes(): { read(): Traffic; stop(): void } {
  const protocol = PGlite.prototype as unknown as Protocol;
  const { execProtocol, execProtocolStream } = protocol;
  let sentBytes = 0;
  let receivedBytes = 0;
  const count = (message: Uint8Array, answers: readonly { length: number }[]) => {
    sentBytes += message.length;
    for (const { length } of answers) receivedBytes += length + TYPE_BYTES;
  };
  protocol.execProtocol = async function (message, ...rest) {
    const result = await execProtocol.call(this, message, ...rest);
    count(message, result.messages);
    return result;
  };
  protocol.execProtocolStream = async function (message, ...rest) {
    const messages = await execProtocolStream.call(this, message, ...rest);
    count(message, messages);
    return messages;
  };
  return {
    read: () => ({ sentBytes, receivedBytes }),
    stop: () => Object.assign(protocol, { execProtocol, execProtocolStream }),
  };
}
