import { FreshetError } from '../../core/errors/freshet-error.ts';
import { writeMessage } from '../../core/messages/write-message.ts';
import type { AnnounceMessage } from '../../core/model/dispatch-message.ts';
import type { ComposedResult } from '../../core/model/result-object.ts';
import type { Space } from '../../core/model/space.ts';
import { failureOfOutcome } from '../../core/report/failure-of-outcome.ts';
import { encodeResult } from '../../core/result/encode-result.ts';
import { proveObject } from '../prove-object.ts';
import { retryTransient } from '../retry-transient.ts';
import type { EmbedPorts } from './embed-ports.ts';

/**
 * Stores a result object, then announces it. Returns the ids that are settled.
 * Storing comes first, so that no message names an object that is not there. The key is used by
 * this attempt alone.
 * @throws FreshetError of class `transient` where the object was not stored or not announced.
 */
export async function announceResult(
  ports: EmbedPorts,
  space: Space,
  result: ComposedResult,
  remainingMs: () => number,
): Promise<string[]> {
  const ids = [...result.outcomes, ...result.copies, ...result.touches].map(({ id }) => id);
  const body = encodeResult(result);
  const message: AnnounceMessage = {
    v: 1,
    kind: 'announce',
    spaceId: space.spaceId,
    dispatchId: result.dispatchId,
    key: `claims/${space.spaceId}/${result.dispatchId}/${ports.randomness.identifier()}`,
    sha256: proveObject(ports.objects, body),
    ids,
  };
  await retryTransient(ports, remainingMs, () => ports.objects.put(message.key, body));
  await retryTransient(ports, remainingMs, () => announce(ports, message));
  for (const { id, outcome } of result.outcomes) {
    if (failureOfOutcome(outcome) !== undefined)
      ports.observer?.rowFailed({ source: space.source.name, id, outcome });
  }
  return ids;
}

async function announce(ports: EmbedPorts, message: AnnounceMessage): Promise<void> {
  const { failed } = await ports.results.send([{ body: writeMessage(message) }]);
  const [refusal] = failed;
  if (refusal === undefined) return;
  throw new FreshetError('The results queue did not take an announcement; its rows are embedded again.', {
    failureClass: 'transient',
    code: `queue_${refusal.code}`,
  });
}
