import { randomUUID } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, rename, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseJson } from '../core/messages.ts';
import type { Clock } from '../ports/process.ts';

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
  /** Nobody took it up, and it was taken back: nobody will. */
  | { readonly state: 'untaken' }
  /** Somebody took it up and gave no answer: whether it was carried out is not known. */
  | { readonly state: 'unanswered' };

const REQUEST = '.request.json';
const ANSWER = '.answer.json';
const LOOK_EVERY_MS = 200;
/** Age after which a file is dropped: the process that asked has given up by then. */
const LASTS_MS = 30_000;
/** What is being answered when the watching ends has this long. */
const CLOSING_MS = 2_000;

/**
 * Asks the process that watches `folder`, and resolves with its answer.
 * The result is undefined when no answer came while `isWatched` held and within `timeoutMs`. A file
 * gets its name only when it is complete, so that nobody reads half of one. Only its owner may read
 * it, because answers can hold text of rows, and no file stays.
 */
export async function askThroughFolder(
  folder: string,
  request: unknown,
  options: {
    readonly clock: Clock;
    /** How long the request may lie until somebody takes it up. */
    readonly takenWithinMs: number;
    /** How long the answer may take in all. */
    readonly answeredWithinMs: number;
    /** Whether the process that should answer is still there. */
    readonly isWatched: () => Promise<boolean>;
    /** Aborts: the request is taken back if nobody took it up yet, and no answer is waited for. */
    readonly signal?: AbortSignal | undefined;
  },
): Promise<FolderReply> {
  const { clock, signal } = options;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // An earlier version made the folder for everybody.
  await chmod(folder, 0o700).catch(() => undefined);
  const path = join(folder, randomUUID());
  const startedAtMs = clock.now();
  const asked: FolderRequest = { askedAtMs: startedAtMs, request };
  await writeWhole(`${path}${REQUEST}`, asked);
  try {
    for (;;) {
      // Asked before the look: an answer that was written until then is found by it.
      const isWatched = signal?.aborted !== true && (await options.isWatched());
      const answer = await readWhole(`${path}${ANSWER}`);
      if (answer !== undefined) return { state: 'answered', answer };
      const waitedMs = clock.now() - startedAtMs;
      if ((!isWatched || waitedMs >= options.takenWithinMs) && (await takeFile(`${path}${REQUEST}`)))
        return { state: 'untaken' };
      if (!isWatched || waitedMs >= options.answeredWithinMs) return { state: 'unanswered' };
      await clock.sleep(LOOK_EVERY_MS, signal);
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
  for (; !signal.aborted; await clock.sleep(LOOK_EVERY_MS, signal)) {
    for (const file of await readdir(folder).catch(() => [])) {
      const path = join(folder, file);
      if (!file.endsWith(REQUEST)) {
        await sweep(path, clock).catch(() => undefined);
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
  const ended = Promise.all(answering).then(() => waiting.abort());
  await Promise.race([ended, clock.sleep(CLOSING_MS, waiting.signal)]);
  isClosed = true;
}

/**
 * Takes the request in a file, and deletes the file.
 * Undefined where the request is too old or unreadable, or another process took it.
 */
async function takeRequest(path: string, clock: Clock): Promise<FolderRequest | undefined> {
  const asked = (await readWhole(path)) as Partial<FolderRequest> | undefined;
  if (!(await takeFile(path))) return undefined;
  if (typeof asked?.askedAtMs !== 'number' || clock.now() - asked.askedAtMs > LASTS_MS) return undefined;
  return { askedAtMs: asked.askedAtMs, request: asked.request };
}

/** Whether this call deleted the file: of several processes that try, one gets it. */
async function takeFile(path: string): Promise<boolean> {
  return unlink(path).then(
    () => true,
    () => false,
  );
}

/** Deletes what a killed process left: an answer never read, or a draft never named. */
async function sweep(path: string, clock: Clock): Promise<void> {
  const { mtimeMs } = await stat(path);
  if (clock.now() - mtimeMs > LASTS_MS) await rm(path, { force: true });
}

async function writeWhole(path: string, value: object): Promise<void> {
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, JSON.stringify(value), { mode: 0o600 });
  await rename(draft, path);
}

async function readWhole(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : parseJson(text);
}
