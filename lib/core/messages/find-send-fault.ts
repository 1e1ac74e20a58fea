/**
 * Bytes that one body, or all bodies of a batch together, may have.
 * The limit is that of SQS (`MaximumMessageSize`).
 */
export const MAX_BODY_BYTES = 1_048_576;

/** The longest delay of a message in SQS. */
const MAX_DELAY_SECONDS = 900;

/**
 * The characters of XML 1.0, which are the only ones that SQS carries.
 * Half of a surrogate pair is not among them.
 */
const CARRIED = /^[\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]*$/u;

/**
 * Finds the error code with which any SQS queue would refuse a message.
 * Undefined where the message can be sent.
 */
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
