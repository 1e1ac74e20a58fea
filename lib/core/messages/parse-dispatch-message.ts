import type { DispatchMessage } from '../model/dispatch-message.ts';
import { isCount, isPositiveInteger, isTexts, isUuid, parseExactly } from './message-checks.ts';

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
    lane: value => value === 'fresh' || value === 'bulk',
    dispatchId: isUuid,
    attempts: isCount,
    ids: value => isTexts(value) && (value as string[]).length > 0,
  }) as unknown as DispatchMessage;
}
