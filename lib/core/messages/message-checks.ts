import { FreshetError } from '../errors/freshet-error.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/**
 * Parses the object in `body`, which must have exactly these keys, each with a valid value.
 * Messages are the only input that a stranger could forge, so that unknown keys are refused too.
 * @throws FreshetError `bad_message`, of class `unknown`
 */
export function parseExactly(
  body: string,
  checks: Readonly<Record<string, (value: unknown) => boolean>>,
): Record<string, unknown> {
  const message = parseObject(body);
  for (const key of Object.keys(message)) {
    if (!Object.hasOwn(checks, key)) throw badMessage('a key that this version does not know');
  }
  for (const [key, isValid] of Object.entries(checks)) {
    if (!Object.hasOwn(message, key) || !isValid(message[key])) throw badMessage(`no valid "${key}"`);
  }
  return message;
}

export const isUuid = (value: unknown): boolean => typeof value === 'string' && UUID.test(value);

export const isPositiveInteger = (value: unknown): boolean =>
  Number.isSafeInteger(value) && Number(value) > 0;

export const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;

export const isTexts = (value: unknown): boolean =>
  Array.isArray(value) && value.every(item => typeof item === 'string');

function parseObject(body: string): Record<string, unknown> {
  let message: unknown;
  try {
    message = JSON.parse(body);
  } catch {
    throw badMessage('no JSON');
  }
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
