import type { AnnounceMessage, DispatchMessage } from '../model/dispatch-message.ts';

/**
 * The body of a message. Of the characters that JSON leaves as they are, SQS refuses two, which a key of text can hold: they are escaped
 * like the others.
 */
export function writeMessage(message: DispatchMessage | AnnounceMessage): string {
  return JSON.stringify(message).replace(/[\uFFFE\uFFFF]/g, character =>
    character === '\uFFFE' ? '\\ufffe' : '\\uffff',
  );
}
