import { FreshetError } from './errors.ts';
import { isLane, type Lane } from './model.ts';
import { isResultKey } from './result-object.ts';

/**
 * The message from `detect` to `embed`: the ids of leased rows, and no texts.
 * The envelope has version 1. `embed` accepts only that version.
 */
export interface DispatchMessage {
  readonly v: 1;
  readonly kind: 'dispatch';
  readonly spaceId: number;
  readonly lane: Lane;
  readonly dispatchId: string;
  /**
   * How often embedding these rows began before and did not end.
   * The number decides the batch size (`batchSizeForAttempts`); after 5 the outcome is
   * `undelivered`.
   */
  readonly attempts: number;
  readonly ids: readonly string[];
}

/** The message from `embed` to `write`: where a result object lies, and its digest. */
export interface AnnounceMessage {
  readonly v: 1;
  readonly kind: 'announce';
  readonly spaceId: number;
  readonly dispatchId: string;
  readonly key: string;
  /** The digest of the object's bytes, as `proveObject` computes it: SHA-256, in hexadecimal. */
  readonly sha256: string;
  readonly ids: readonly string[];
  /** Ids of the calls of the object. An object that has some is removed once it is written. */
  readonly calls: readonly string[];
}

/**
 * The message from `detect` to `embed` that asks for a look at the batches of a model.
 * It travels in the model's bulk queue: whoever takes it has the model's key and its network.
 */
interface BatchTickMessage {
  readonly v: 1;
  readonly kind: 'batches';
  readonly modelAlias: string;
}

/**
 * Parses the body of a message that asks for a look at batches; undefined: it is another message.
 * @throws FreshetError `bad_message`, of class `unknown`
 */
export function parseBatchTick(body: string): BatchTickMessage | undefined {
  if (!body.includes('"kind":"batches"')) return undefined;
  if (Object(parseJson(body)).kind !== 'batches') return undefined;
  return parseExactly(body, {
    v: value => value === 1,
    kind: value => value === 'batches',
    modelAlias: value => typeof value === 'string' && value !== '',
  }) as unknown as BatchTickMessage;
}

/**
 * Parses the body of a dispatch message.
 * A malformed message is never acknowledged, so that it reaches the dead-letter queue and a person.
 * @throws FreshetError `bad_message`, of class `unknown`
 */
export function parseDispatchMessage(body: string): DispatchMessage {
  return parseExactly(body, {
    v: value => value === 1,
    kind: value => value === 'dispatch',
    spaceId: isPositiveInteger,
    lane: isLane,
    dispatchId: isUuid,
    attempts: isCount,
    ids: value => isTexts(value) && (value as string[]).length > 0,
  }) as unknown as DispatchMessage;
}

/**
 * Parses the body of an announce message.
 * `ids` may be empty: a call without usable vectors is announced only for the ledger. `calls` is
 * missing in what was announced before there was the key.
 * @throws FreshetError `bad_message`, of class `unknown`
 */
export function parseAnnounceMessage(body: string): AnnounceMessage {
  const message = parseExactly(
    body,
    {
      v: value => value === 1,
      kind: value => value === 'announce',
      spaceId: isPositiveInteger,
      dispatchId: isUuid,
      key: value => typeof value === 'string' && isResultKey(value),
      sha256: value => typeof value === 'string' && SHA256.test(value),
      ids: isTexts,
      calls: value => Array.isArray(value) && value.every(isUuid),
    },
    { calls: [] },
  );
  return message as unknown as AnnounceMessage;
}

/**
 * Writes the body of a message as JSON that SQS accepts.
 * JSON leaves U+FFFE and U+FFFF as they are, and SQS refuses both. A text key can contain them, so
 * they are escaped here.
 */
export function writeMessage(message: DispatchMessage | AnnounceMessage | BatchTickMessage): string {
  return JSON.stringify(message).replace(/[\uFFFE\uFFFF]/g, character =>
    character === '\uFFFE' ? '\\ufffe' : '\\uffff',
  );
}

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

/**
 * The characters of XML 1.0, which are the only ones that SQS carries.
 * Half of a surrogate pair is not among them.
 */
const CARRIED = /^[\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]*$/u;

/**
 * Bytes that one body, or all bodies of a batch together, may have.
 * The limit is that of SQS (`MaximumMessageSize`).
 */
export const MAX_BODY_BYTES = 1_048_576;

/** The longest delay of a message in SQS. */
const MAX_DELAY_SECONDS = 900;

/**
 * Receives after which a message becomes a dead letter.
 * A receive counts even when no consumer saw the message.
 */
export const MAX_RECEIVE_COUNT = 5;

/** Days that a message waits for its consumer. */
export const QUEUE_RETENTION_DAYS = 4;

/**
 * Days that a dead letter stays: the most that SQS keeps anything.
 * The age of a dead letter counts from its first send.
 */
export const DEAD_LETTER_RETENTION_DAYS = 14;

/**
 * Days that a result object stays: longer than whatever can still name the object.
 * What a later redrive finds gone is embedded again.
 */
export const CLAIM_RETENTION_DAYS = Math.max(QUEUE_RETENTION_DAYS, DEAD_LETTER_RETENTION_DAYS) + 1;

/**
 * Parses the object in `body`, which must have exactly these keys, each with a valid value.
 * A key of `defaults` may be missing.
 * Messages are the only input that a stranger could forge, so that unknown keys are refused too.
 * @throws FreshetError `bad_message`, of class `unknown`
 */
function parseExactly(
  body: string,
  checks: Readonly<Record<string, (value: unknown) => boolean>>,
  defaults: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  const message = { ...defaults, ...parseObject(body) };
  for (const key of Object.keys(message)) {
    if (!Object.hasOwn(checks, key)) throw badMessage('a key that this version does not know');
  }
  for (const [key, isValid] of Object.entries(checks)) {
    if (!Object.hasOwn(message, key) || !isValid(message[key])) throw badMessage(`no valid "${key}"`);
  }
  return message;
}

function parseObject(body: string): Record<string, unknown> {
  const message = parseJson(body);
  if (message === undefined) throw badMessage('no JSON');
  if (typeof message !== 'object' || message === null || Array.isArray(message))
    throw badMessage('no object');
  return message as Record<string, unknown>;
}

function badMessage(what: string): FreshetError {
  return new FreshetError(`A message has ${what}; it was not made by this version of Freshet.`, {
    failureClass: 'unknown',
    code: 'bad_message',
  });
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

const SHA256 = /^[0-9a-f]{64}$/;

const isUuid = (value: unknown): boolean => typeof value === 'string' && UUID.test(value);

const isPositiveInteger = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) > 0;

/** Whether a value is a whole number, 0 or more. */
export function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

const isTexts = (value: unknown): boolean =>
  Array.isArray(value) && value.every(item => typeof item === 'string');

/**
 * Parses JSON; undefined where the text is not JSON.
 * The parser's own error is swallowed because its message quotes the text.
 */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The largest number of messages that one receive of SQS brings. */
export const MAX_MESSAGES_PER_RECEIVE = 10;

/** The longest visibility timeout of SQS: 12 hours. */
export const MAX_VISIBILITY_SECONDS = 43_200;

/**
 * Refuses a visibility timeout that any SQS queue would refuse.
 * @throws FreshetError `invalid_visibility`, of class `unknown`
 */
export function requireVisibility(seconds: number): void {
  if (Number.isInteger(seconds) && seconds >= 0 && seconds <= MAX_VISIBILITY_SECONDS) return;
  throw new FreshetError(`A visibility of ${seconds} s is not within 0 and ${MAX_VISIBILITY_SECONDS}.`, {
    failureClass: 'unknown',
    code: 'invalid_visibility',
  });
}
