import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseJson } from '../../core/messages/parse-json.ts';
import type { Clock } from '../../ports/clock.ts';

/**
 * A request of one process to another through a folder.
 * The answer lies beside the request under the same name.
 */
interface FolderRequest {
  readonly askedAtMs: number;
  readonly request: unknown;
}

const REQUEST = '.request.json';
const ANSWER = '.answer.json';
const LOOK_EVERY_MS = 200;
/** Age after which a request is dropped: the process that asked has given up by then. */
const LASTS_MS = 30_000;

/**
 * Asks the process that watches `folder`, and resolves with its answer.
 * The result is undefined when no answer came while `isWatched` held and within `timeoutMs`. A file
 * gets its name only when it is complete, so that nobody reads half of one.
 */
export async function askThroughFolder(
  folder: string,
  request: unknown,
  options: {
    readonly timeoutMs: number;
    readonly clock: Clock;
    readonly isWatched: () => Promise<boolean>;
  },
): Promise<unknown> {
  const { clock, timeoutMs } = options;
  await mkdir(folder, { recursive: true });
  const path = join(folder, randomUUID());
  const asked: FolderRequest = { askedAtMs: clock.now(), request };
  await writeWhole(`${path}${REQUEST}`, asked);
  const endsAtMs = clock.now() + timeoutMs;
  try {
    for (;;) {
      const answer = await readWhole(`${path}${ANSWER}`);
      if (answer !== undefined) return answer;
      if (clock.now() >= endsAtMs || !(await options.isWatched())) return undefined;
      await clock.sleep(LOOK_EVERY_MS);
    }
  } finally {
    await rm(`${path}${REQUEST}`, { force: true });
    await rm(`${path}${ANSWER}`, { force: true });
  }
}

/**
 * Answers requests one after the other, each once, until the signal aborts.
 * Requests that are too old are removed without an answer. The promise never rejects.
 */
export async function watchRequestFolder(
  folder: string,
  answer: (request: unknown) => Promise<object>,
  options: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  const { clock, signal } = options;
  for (; !signal.aborted; await clock.sleep(LOOK_EVERY_MS, signal)) {
    const files = await readdir(folder).catch(() => []);
    for (const file of files) {
      const path = join(folder, file);
      if (file.endsWith(REQUEST)) await answerFile(path, answer, clock).catch(() => undefined);
    }
  }
}

async function answerFile(
  path: string,
  answer: (request: unknown) => Promise<object>,
  clock: Clock,
): Promise<void> {
  const asked = (await readWhole(path)) as Partial<FolderRequest> | undefined;
  await rm(path, { force: true });
  if (typeof asked?.askedAtMs !== 'number' || clock.now() - asked.askedAtMs > LASTS_MS) return;
  await writeWhole(`${path.slice(0, -REQUEST.length)}${ANSWER}`, await answer(asked.request));
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
