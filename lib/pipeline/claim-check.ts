import { FreshetError } from '../core/errors.ts';
import { type AnnounceMessage, parseAnnounceMessage, writeMessage } from '../core/messages.ts';
import type { Space } from '../core/model.ts';
import { decodeResult, encodeResult } from '../core/result-codec.ts';
import { type ComposedResult, composeResultKey, type ResultObject } from '../core/result-object.ts';
import { sha256Hex } from '../core/text.ts';
import type { SpaceRegistry } from '../ports/control-store.ts';
import type { Clock, Randomness } from '../ports/process.ts';
import type { MessageQueue, ObjectStore } from '../ports/queues.ts';
import { retryTransient } from './failures.ts';
import type { TracedPorts } from './spans.ts';

interface ObjectPorts {
  readonly objects: ObjectStore;
  readonly clock: Clock;
  readonly randomness: Randomness;
}

interface AnnouncePorts extends ObjectPorts, TracedPorts {
  /** Where results are announced. */
  readonly results: MessageQueue;
}

export interface LoadPorts extends ObjectPorts {
  readonly spaces: SpaceRegistry;
}

/**
 * Stores a result object, then announces it. Returns the ids of its rows.
 * Storing comes first, so that no message names an object that is not there. The key is used by
 * this attempt alone.
 * @throws FreshetError of class `transient` where the object was not stored or not announced.
 */
export async function announceResult(
  ports: AnnouncePorts,
  result: ComposedResult,
  remainingMs: () => number,
): Promise<readonly string[]> {
  const { spaceId, dispatchId } = result;
  const body = encodeResult(result);
  const message: AnnounceMessage = {
    v: 1,
    kind: 'announce',
    spaceId,
    dispatchId,
    key: composeResultKey(spaceId, dispatchId, ports.randomness.identifier()),
    sha256: hashObject(ports.objects, body),
    ids: [...result.outcomes, ...result.copies, ...result.touches].map(({ id }) => id),
    calls: result.calls.map(({ callId }) => callId),
  };
  await retryTransient(ports, remainingMs, () => ports.objects.put(message.key, body));
  await retryTransient(ports, remainingMs, () => announce(ports, message));
  return message.ids;
}

async function announce(ports: AnnouncePorts, message: AnnounceMessage): Promise<void> {
  const traceparent = ports.tracer?.current();
  const { failed } = await ports.results.send([{ body: writeMessage(message), traceparent }]);
  const [refusal] = failed;
  if (refusal === undefined) return;
  throw new FreshetError('The results queue did not take an announcement; its rows are embedded again.', {
    failureClass: 'transient',
    code: `queue_${refusal.code}`,
  });
}

/** What an announcement led to: the announced object, or why there is none. */
export interface LoadedResult {
  readonly message: AnnounceMessage;
  /** Undefined: the space is unknown or retired, and nothing was loaded. */
  readonly space: Space | undefined;
  /** Undefined where the object is missing, or is not the announced object, whole. */
  readonly result: ResultObject | undefined;
  readonly object: 'whole' | 'missing' | 'corrupt';
}

/**
 * Loads the result object that an announcement names, and proves that it is that object.
 * @throws FreshetError for a message that cannot be read, and where registry or store do not
 * answer.
 */
export async function loadResult(
  ports: LoadPorts,
  announcement: string,
  remainingMs: () => number,
): Promise<LoadedResult> {
  const message = parseAnnounceMessage(announcement);
  const space = await ports.spaces.find(message.spaceId);
  if (!space) return { message, space, result: undefined, object: 'missing' };
  const body = await retryTransient(ports, remainingMs, () => ports.objects.get(message.key));
  if (!body) return { message, space, result: undefined, object: 'missing' };
  const result = readResult(ports.objects, message, body);
  return { message, space, result, object: result ? 'whole' : 'corrupt' };
}

/**
 * Removes the objects of announcements that are written, so that no vector outlives its row there.
 * Call it after the commit alone. An object that stays is a repeat to whoever finds it, and expires
 * with the bucket's rule; therefore a failure is nobody's. Without calls, nothing could tell that
 * a missing object was written, and such an object holds no vector: it stays.
 */
export async function removeWritten(
  { objects }: Pick<ObjectPorts, 'objects'>,
  announcements: readonly string[],
): Promise<void> {
  const written = announcements.map(parseAnnounceMessage).filter(({ calls }) => calls.length > 0);
  await Promise.allSettled(written.map(({ key }) => objects.remove(key)));
}

function readResult(objects: ObjectStore, message: AnnounceMessage, body: Buffer): ResultObject | undefined {
  if (hashObject(objects, body) !== message.sha256) return undefined;
  try {
    const result = decodeResult(body);
    const same = result.spaceId === message.spaceId && result.dispatchId === message.dispatchId;
    return same ? result : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Bytes of a sealed object that are hashed: enough to tell one object from another.
 * A sealed object cannot have been changed, so that nothing has to prove it whole.
 */
const SEALED_BYTES = 4096;

/**
 * Hashes an object, so that the writer knows the announced object again; hexadecimal.
 * The hash is the SHA-256 of the whole body, so that it also proves the object whole. For a sealed
 * store it is the SHA-256 of the body's first `SEALED_BYTES` bytes.
 */
function hashObject(objects: ObjectStore, body: Buffer): string {
  return sha256Hex(objects.sealed ? body.subarray(0, SEALED_BYTES) : body);
}
