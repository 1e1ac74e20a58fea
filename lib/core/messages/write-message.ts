import type { AnnounceMessage, DispatchMessage } from '../model/dispatch-message.ts';

/**
 * Writes the body of a message as JSON that SQS accepts.
 * JSON leaves U+FFFE and U+FFFF as they are, and SQS refuses both. A text key can contain them, so
 * they are escaped here.
 */
export function writeMessage(message: DispatchMessage | AnnounceMessage): string {
  return JSON.stringify(message).replace(/[\uFFFE\uFFFF]/g, character =>
    character === '\uFFFE' ? '\\ufffe' : '\\uffff',
  );
}
