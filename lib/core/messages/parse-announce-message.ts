import type { AnnounceMessage } from '../model/dispatch-message.ts';
import { isResultKey } from '../result/is-result-key.ts';
import { isPositiveInteger, isTexts, isUuid, parseExactly } from './message-checks.ts';

const SHA256 = /^[0-9a-f]{64}$/;

/**
 * Parses the body of an announce message.
 * `ids` may be empty: a call without usable vectors is announced only for the ledger.
 * @throws FreshetError `bad_message`, of class `unknown`
 */
export function parseAnnounceMessage(body: string): AnnounceMessage {
  return parseExactly(body, {
    v: value => value === 1,
    kind: value => value === 'announce',
    spaceId: isPositiveInteger,
    dispatchId: isUuid,
    key: value => typeof value === 'string' && isResultKey(value),
    sha256: value => typeof value === 'string' && SHA256.test(value),
    ids: isTexts,
  }) as unknown as AnnounceMessage;
}
