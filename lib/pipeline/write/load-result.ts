import { parseAnnounceMessage } from '../../core/messages/parse-announce-message.ts';
import type { AnnounceMessage } from '../../core/model/dispatch-message.ts';
import type { ResultObject } from '../../core/model/result-object.ts';
import type { Space } from '../../core/model/space.ts';
import { decodeResult } from '../../core/result/decode-result.ts';
import { proveObject } from '../prove-object.ts';
import type { QueueRecord } from '../queue-record.ts';
import { retryTransient } from '../retry-transient.ts';
import type { WritePorts } from './write-ports.ts';

export interface LoadedResult {
  readonly message: AnnounceMessage;
  /** Undefined: the space is unknown or retired, and nothing was loaded. */
  readonly space: Space | undefined;
  /** Undefined where the object is missing, or is not the announced object, whole. */
  readonly result: ResultObject | undefined;
  readonly object: 'whole' | 'missing' | 'corrupt';
}

/**
 * Loads the object that an announcement names.
 * @throws FreshetError for a message that cannot be read, and where registry or store do not
 * answer.
 */
export async function loadResult(
  ports: WritePorts,
  record: QueueRecord,
  remainingMs: () => number,
): Promise<LoadedResult> {
  const message = parseAnnounceMessage(record.body);
  const space = await ports.spaces.find(message.spaceId);
  if (!space) return { message, space, result: undefined, object: 'missing' };
  const body = await retryTransient(ports, remainingMs, () => ports.objects.get(message.key));
  if (!body) return { message, space, result: undefined, object: 'missing' };
  const result = readResult(ports, message, body);
  return { message, space, result, object: result ? 'whole' : 'corrupt' };
}

function readResult(
  { objects }: WritePorts,
  message: AnnounceMessage,
  body: Buffer,
): ResultObject | undefined {
  if (proveObject(objects, body) !== message.sha256) return undefined;
  try {
    const result = decodeResult(body);
    const same = result.spaceId === message.spaceId && result.dispatchId === message.dispatchId;
    return same ? result : undefined;
  } catch {
    return undefined;
  }
}
