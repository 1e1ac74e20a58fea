import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { WordnetRow } from '../apparatus/wordnet-rows.ts';

/** A query, and the titles of the rows that answer it. */
interface Judgement {
  readonly query: string;
  readonly titles: readonly string[];
}

const read = (path: string) => JSON.parse(readFileSync(join(import.meta.dirname, path), 'utf8'));
const DEPTH = 10;
/** Of the rows whose title stands in no other row's text, every so many is asked for by it. */
const NAMED_EVERY = 10;

/** Reads the rows that are judged, those of the demo. */
export function readJudgedRows(): readonly WordnetRow[] {
  const rows: readonly (readonly [string, string, readonly string[]])[] = read(
    '../../examples/demo/ai-items.data.json',
  );
  return rows.map(([title, summary, tags]) => ({ title, summary, tags: [tags.join(', ')] }));
}

/** How people ask for a thing that they can name; the words around the name are of no use. */
const QUESTIONS = [
  'where can I read about X',
  'tell me everything you know about X',
  'what does X mean and where is it used',
];

/**
 * Reads what people ask: questions that describe a thing, the name of one, and a name in a question.
 * The first were judged by hand before any model was asked. The others are judged by what they are:
 * the rows of a name are those that have it as their title. What a search is set by may look at
 * every other query, from the first on; the rest tell what it is worth.
 */
export function readJudgements(): Readonly<Record<string, readonly Judgement[]>> {
  const questions: readonly (readonly [string, readonly string[]])[] = read('questions.data.json');
  const titles = [...new Set(readJudgedRows().map(({ title }) => title))];
  const names = titles
    .filter((_, place) => place % NAMED_EVERY === 0)
    .map(title => ({ query: title, titles: [title] }));
  const asked = names.map(({ query, titles }, place) => ({
    query: QUESTIONS[place % QUESTIONS.length]!.replace('X', () => query),
    titles,
  }));
  const isKept = (_: unknown, place: number) => place % 2 === 1;
  return {
    'forty questions': questions.map(([query, titles]) => ({ query, titles })),
    'forty questions, every other': questions.filter(isKept).map(([query, titles]) => ({ query, titles })),
    names,
    'names in questions': asked,
    'names in questions, every other': asked.filter(isKept),
  };
}

/**
 * Measures nDCG@10 with judgements of 0 and 1, the mean over the queries.
 * @param ask gives the titles of the hits, best first
 */
export async function measureRanking(
  judgements: readonly Judgement[],
  ask: (query: string) => Promise<readonly string[]>,
): Promise<number> {
  const counts = new Map<string, number>();
  for (const { title } of readJudgedRows()) counts.set(title, (counts.get(title) ?? 0) + 1);
  let sum = 0;
  for (const { query, titles } of judgements) {
    const hits = await ask(query);
    const gain = hits.map((title, place) => (titles.includes(title) ? gainAt(place) : 0));
    const right = titles.reduce((rows, title) => rows + (counts.get(title) ?? 0), 0);
    const ideal = Array.from({ length: Math.min(DEPTH, right) }, (_, place) => gainAt(place));
    sum += add(gain) / add(ideal);
  }
  return sum / judgements.length;
}

const gainAt = (place: number) => 1 / Math.log2(place + 2);
const add = (values: readonly number[]) => values.reduce((sum, each) => sum + each, 0);
