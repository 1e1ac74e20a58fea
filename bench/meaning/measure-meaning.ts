import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { cosineOf } from '../../lib/core/vectors.ts';
import type { EmbeddingProvider } from '../../lib/ports/provider.ts';

/** How well a model ranks the rows that somebody means. */
export interface Meaning {
  readonly queries: number;
  /** Share of the queries whose first row is a right one, and with a right one among the first ten. */
  readonly hit1: number;
  readonly hit5: number;
  readonly hit10: number;
  /** Mean of 1 / rank of the first right row. */
  readonly reciprocalRank: number;
  /** Milliseconds of processor time per 1,000 texts, start of the model included. */
  readonly cpuMsPerThousand: number;
  /** Milliseconds for which this process did nothing else, at most: its timers and its server waited. */
  readonly longestPauseMs: number;
}

interface Task {
  readonly documents: readonly string[];
  readonly queries: readonly { readonly text: string; readonly right: ReadonlySet<number> }[];
}

const read = (path: string) => JSON.parse(readFileSync(join(import.meta.dirname, path), 'utf8'));

const rows: readonly (readonly [title: string, definition: string, tags: readonly string[]])[] = read(
  '../../examples/demo/ai-items.data.json',
);

/** Rows of the reverse dictionary; every third of them is asked for by its title. */
const DEFINITIONS = 1_000;
const TITLE_EVERY = 3;

/**
 * The reverse dictionary: definitions are the documents, and a title asks for its own definition.
 * Rows whose title stands in their definition are left out, because wording alone would find them.
 */
export function readDictionary(): Task {
  const chosen = rows
    .filter(([title, definition]) => !definition.toLowerCase().includes(title.toLowerCase()))
    .slice(0, DEFINITIONS);
  return {
    documents: chosen.map(([, definition]) => definition),
    queries: chosen.flatMap(([title], index) =>
      index % TITLE_EVERY === 0 ? [{ text: title, right: new Set([index]) }] : [],
    ),
  };
}

/**
 * Forty questions as people ask them, over the rows as the demo embeds them.
 * `questions.data.json` holds each with the titles that answer it, judged before any model was
 * asked.
 */
export function readQuestions(): Task {
  const questions: readonly (readonly [string, readonly string[]])[] = read('questions.data.json');
  return {
    documents: rows.map(([title, definition, tags]) => [title, definition, tags.join(', ')].join('\n')),
    queries: questions.map(([text, titles]) => ({
      text,
      right: new Set(rows.flatMap(([title], index) => (titles.includes(title) ? [index] : []))),
    })),
  };
}

/** Measures a provider on a task. A text that it excludes is found by nothing, and finds nothing. */
export async function measureMeaning(provider: EmbeddingProvider, task: Task): Promise<Meaning> {
  const { documents, queries } = task;
  const cpuAtStart = measureCpuMs();
  const pauses = monitorEventLoopDelay({ resolution: 1 });
  pauses.enable();
  const vectors = await embedAllOf(provider, documents);
  const asked = await embedAllOf(
    provider,
    queries.map(({ text }) => text),
  );
  const cpuMs = measureCpuMs() - cpuAtStart;
  // A pause is noticed by the timer that comes too late.
  await new Promise(resolve => setTimeout(resolve, 5));
  pauses.disable();
  const ranks = queries.map(({ right }, index) => findRank(asked[index], vectors, right));
  const share = (most: number) => ranks.filter(rank => rank <= most).length / ranks.length;
  return {
    queries: queries.length,
    ...{ hit1: share(1), hit5: share(5), hit10: share(10) },
    reciprocalRank: ranks.reduce((sum, rank) => sum + 1 / rank, 0) / ranks.length,
    cpuMsPerThousand: (1000 * cpuMs) / (documents.length + queries.length),
    longestPauseMs: pauses.max / 1e6,
  };
}

/** Processor time of this process and of those that it started, the latter on Linux alone. */
function measureCpuMs(): number {
  const { user, system } = process.cpuUsage();
  const list = `/proc/self/task/${process.pid}/children`;
  const children = existsSync(list) ? readFileSync(list, 'utf8').split(' ').filter(Boolean) : [];
  const ticks = children.map(pid => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
    return Number(fields[11]) + Number(fields[12]);
  });
  // A tick is 10 ms on every Linux that Node runs on.
  return (user + system) / 1000 + 10 * ticks.reduce((sum, each) => sum + each, 0);
}

async function embedAllOf(
  provider: EmbeddingProvider,
  texts: readonly string[],
): Promise<readonly (Buffer | undefined)[]> {
  const vectors: (Buffer | undefined)[] = texts.map(() => undefined);
  const { maxTextsPerCall } = provider.limits;
  for (let start = 0; start < texts.length; start += maxTextsPerCall) {
    const part = texts.slice(start, start + maxTextsPerCall);
    const { items } = await provider.embed({ texts: part, deadlineMs: 60_000 });
    for (const { index, bytes } of items) vectors[start + index] = bytes;
  }
  return vectors;
}

/** The place of the first right document, from 1; infinite where the query has no vector. */
function findRank(
  query: Buffer | undefined,
  vectors: readonly (Buffer | undefined)[],
  right: ReadonlySet<number>,
): number {
  if (query === undefined) return Number.POSITIVE_INFINITY;
  const scores = vectors.map(vector => (vector === undefined ? -1 : cosineOf(query, vector)));
  const best = Math.max(...[...right].map(index => scores[index]!));
  return 1 + scores.filter(score => score > best).length;
}
