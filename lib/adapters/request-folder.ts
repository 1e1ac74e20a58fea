import { randomUUID } from 'node:crypto';
import { readdir, readFile, rename, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseJson } from '../core/messages.ts';
import type { Clock } from '../ports/process.ts';
import { makePrivateFolder, PRIVATE_FILE_MODE } from './private-files.ts';

/**
 * A request of one process to another through a folder.
 * The answer lies beside the request under the same name.
 */
interface FolderRequest {
  readonly askedAtMs: number;
  readonly request: unknown;
}

/** What became of a request. */
type FolderReply =
  | { readonly state: 'answered'; readonly answer: unknown }
  /** Nobody took the request up, and it was taken back: nobody will. */
  | { readonly state: 'untaken' }
  /** Somebody took the request up and gave no answer. Whether it was carried out is not known. */
  | { readonly state: 'unanswered' };

const REQUEST = '.request.json';
const ANSWER = '.answer.json';
const POLL_INTERVAL_MS = 200;
/** Age at which a file is dropped: the process that asked has given up by then. */
const REQUEST_LIFETIME_MS = 30_000;
/** How long the answers that are under way when the watching ends may take. */
const CLOSING_GRACE_MS = 2_000;

/**
 * Asks the process that watches `folder`, and resolves with its answer.
 * A file gets its name only when the file is complete, so that nobody reads half of one. Only the
 * owner may read it, because answers can hold text of rows. No file stays.
 */
export async function askThroughFolder(
  folder: string,
  request: unknown,
  options: {
    readonly clock: Clock;
    /** How long the request may lie until somebody takes it up. */
    readonly pickupTimeoutMs: number;
    /** How long the answer may take in all. */
    readonly answerTimeoutMs: number;
    /** Whether the process that should answer is still there. */
    readonly isWatched: () => Promise<boolean>;
    /** Ends the waiting. The request is taken back if nobody took it up yet. */
    readonly signal?: AbortSignal | undefined;
  },
): Promise<FolderReply> {
  const { clock, signal } = options;
  await makePrivateFolder(folder);
  const path = join(folder, randomUUID());
  const startedAtMs = clock.now();
  const asked: FolderRequest = { askedAtMs: startedAtMs, request };
  await writeWhole(`${path}${REQUEST}`, asked);
  try {
    for (;;) {
      // Asked first, so that an answer which the other process wrote before its end is found.
      const isWatched = signal?.aborted !== true && (await options.isWatched());
      const answer = await readWhole(`${path}${ANSWER}`);
      if (answer !== undefined) return { state: 'answered', answer };
      const waitedMs = clock.now() - startedAtMs;
      if ((!isWatched || waitedMs >= options.pickupTimeoutMs) && (await takeFile(`${path}${REQUEST}`)))
        return { state: 'untaken' };
      if (!isWatched || waitedMs >= options.answerTimeoutMs) return { state: 'unanswered' };
      await clock.sleep(POLL_INTERVAL_MS, signal);
    }
  } finally {
    await rm(`${path}${REQUEST}`, { force: true });
    await rm(`${path}${ANSWER}`, { force: true });
  }
}

/**
 * Answers requests until the signal aborts, each once.
 * Requests that came together are answered at the same time.
 * Files that a vanished process left there are removed. The promise never rejects.
 */
export async function watchRequestFolder(
  folder: string,
  answer: (request: unknown) => Promise<object>,
  options: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  const { clock, signal } = options;
  const answering = new Set<Promise<void>>();
  let isClosed = false;
  const answerTo = async (path: string, request: unknown): Promise<void> => {
    const answered = await answer(request);
    if (!isClosed) await writeWhole(path, answered);
  };
  for (; !signal.aborted; await clock.sleep(POLL_INTERVAL_MS, signal)) {
    for (const file of await readdir(folder).catch(() => [])) {
      const path = join(folder, file);
      if (!file.endsWith(REQUEST)) {
        await removeStale(path, clock).catch(() => undefined);
        continue;
      }
      const taken = await takeRequest(path, clock).catch(() => undefined);
      if (taken === undefined) continue;
      const answerPath = `${path.slice(0, -REQUEST.length)}${ANSWER}`;
      const one = answerTo(answerPath, taken.request)
        .catch(() => undefined)
        .finally(() => answering.delete(one));
      answering.add(one);
    }
  }
  const waiting = new AbortController();
  const ended = Promise.all(answering).then(() => waiting.abort('ended'));
  await Promise.race([ended, clock.sleep(CLOSING_GRACE_MS, waiting.signal)]);
  isClosed = true;
}

/**
 * Reads the request in a file, and deletes the file.
 * Undefined where the request is too old or cannot be read, or another process took the file.
 */
async function takeRequest(path: string, clock: Clock): Promise<FolderRequest | undefined> {
  const asked = (await readWhole(path)) as Partial<FolderRequest> | undefined;
  if (!(await takeFile(path))) return undefined;
  if (typeof asked?.askedAtMs !== 'number' || clock.now() - asked.askedAtMs > REQUEST_LIFETIME_MS)
    return undefined;
  return { askedAtMs: asked.askedAtMs, request: asked.request };
}

/** Deletes a file, and resolves with whether this call did: one of several processes gets it. */
async function takeFile(path: string): Promise<boolean> {
  return unlink(path).then(
    () => true,
    () => false,
  );
}

/** Deletes an old file of a killed process: an answer that was never read, or a draft. */
async function removeStale(path: string, clock: Clock): Promise<void> {
  const { mtimeMs } = await stat(path);
  if (clock.now() - mtimeMs > REQUEST_LIFETIME_MS) await rm(path, { force: true });
}

async function writeWhole(path: string, value: object): Promise<void> {
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, JSON.stringify(value), { mode: PRIVATE_FILE_MODE });
  await rename(draft, path);
}

async function readWhole(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : parseJson(text);
}
