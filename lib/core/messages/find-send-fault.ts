/** SQS: `MaximumMessageSize`, also the most that the bodies of one batch may hold together. */
export const MAX_BODY_BYTES = 1_048_576;

const MAX_DELAY_SECONDS = 900;

/** XML 1.0 characters, the only ones that SQS carries; half of a pair is none. */
const CARRIED = /^[\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]*$/u;

/** SQS's code for a message that it would refuse whatever the queue; undefined for one that can be sent. */
export function findSendFault(
  message: { readonly body: string; readonly delaySeconds?: number },
  bodyBytes: number = Buffer.byteLength(message.body),
): string | undefined {
  const delay = message.delaySeconds ?? 0;
  if (!Number.isInteger(delay) || delay < 0 || delay > MAX_DELAY_SECONDS) return 'InvalidParameterValue';
  if (message.body.length === 0) return 'EmptyValue';
  if (bodyBytes > MAX_BODY_BYTES) return 'MessageTooLong';
  return CARRIED.test(message.body) ? undefined : 'InvalidMessageContents';
}
