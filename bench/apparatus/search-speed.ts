import { readFileSync } from 'node:fs';
import { sql } from 'kysely';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import type { SearchRequest, SearchService } from '../../lib/ports/search.ts';
import { timeStatements } from './time-statements.ts';

/** The rows `ai_items` of a bench, and their search. */
export interface SearchedRows {
  readonly db: SqlDatabase;
  readonly search: (asked: Omit<SearchRequest, 'source'>) => ReturnType<SearchService['search']>;
}

type Print = (line: string) => void;

/** What is asked: a vector of a row, and its title. */
interface Question {
  readonly vector: string;
  readonly title: string;
}

interface Way {
  readonly name: string;
  readonly ask: (question: Question) => Omit<SearchRequest, 'source'>;
  /** The statement with the same candidates that somebody would write, and the cheapest one. */
  readonly bare?: { readonly where: string; readonly candidates: number };
}

const LIMIT = 10;
const semantic = ({ vector }: Question) => ({
  ...{ vector: JSON.parse(vector) as number[], limit: LIMIT, mode: 'semantic' as const },
});
const english = { type: 'eq', key: 'language', value: 'en' };

let filters = 0;
const nextFilter = () => {
  filters += 1;
  return filters;
};

const WAYS: readonly Way[] = [
  { name: 'semantic', ask: semantic, bare: { where: 'true', candidates: 400 } },
  {
    name: 'semantic, filter of 90 %',
    ask: question => ({ ...semantic(question), filter: english }),
    bare: { where: "s.language = 'en'", candidates: 600 },
  },
  {
    // Each filter is another one, so that its rows are counted before the walk.
    name: 'semantic, a filter for the first time',
    ask: question => ({
      ...semantic(question),
      filter: { type: 'ne', key: 'rank', value: nextFilter() },
    }),
  },
  { name: 'semantic, a title', ask: ({ title }) => ({ query: title, limit: LIMIT, mode: 'semantic' }) },
  { name: 'hybrid, a title', ask: ({ title }) => ({ query: title, limit: LIMIT, mode: 'hybrid' }) },
  {
    name: 'hybrid, a title in a question',
    ask: ({ title }) => ({ query: `where can I read about ${title}`, limit: LIMIT, mode: 'hybrid' }),
  },
];

/** Reads vectors of rows in no order that says anything of them. */
export const readVectors = async (
  { db }: Pick<SearchedRows, 'db'>,
  count: number,
): Promise<readonly string[]> => (await readQuestions(db, count)).map(({ vector }) => vector);

async function readQuestions({ kysely }: SqlDatabase, count: number): Promise<readonly Question[]> {
  const { rows } = await sql<Question>`
    SELECT e.embedding::text AS vector, s.title FROM embeddings.ai_items AS e
      JOIN public.ai_items AS s USING (id) ORDER BY md5(id::text) LIMIT ${count}`.execute(kysely);
  return rows;
}

/**
 * Times searches one after the other and two at once, in milliseconds.
 * Beside some stands bare SQL twice: the same walk with the same candidates, and the cheapest
 * statement, `ORDER BY embedding <=> $1 LIMIT 10` on the view with the session as it is. The three
 * take turns in every order, since whoever comes later finds the pages in memory: each comes before
 * each other as often as after it, and *more* is the mean of the median where the search came first
 * and of the median where it came later. The median of all pairs would fall anywhere between those
 * two, which lie 10 ms apart. Processor time is that of this process and of the database's,
 * told where nothing else runs in them: one after the other. Queries a second are those of searches
 * alone, and of bare SQL alone, each of all questions once more.
 */
export async function measureSpeed(
  opened: SearchedRows,
  index: string,
  queries: number,
  print: Print,
): Promise<void> {
  const questions = await readQuestions(opened.db, queries);
  const [load] = readFileSync('/proc/loadavg', 'utf8').split(' ');
  print(`${index}, ${queries} queries, ${LIMIT} hits each, load ${load} on this machine`);
  print(
    '| search | at once | p50 ms | p95 ms | p99 ms | bare SQL p50 | more, by both orders | ' +
      'top-k alone p50 | more than that, by both orders | CPU p50 | p95 | bare SQL CPU p50 | more, by both orders | queries/s | bare SQL |',
  );
  print(`|---|${'---:|'.repeat(14)}`);
  for (const way of WAYS)
    for (const atOnce of [1, 2]) {
      const readTimes = timeStatements(50);
      const cells = await measureWay(opened, way, questions, atOnce);
      const parts = [...readTimes()].map(([text, times]) => `${text}: ${at(times, 0.5).toFixed(2)}`);
      print(`| ${way.name} | ${atOnce} | ${cells.join(' | ')} |`);
      if (atOnce === 1 && way === WAYS[0]) process.stderr.write(`${parts.join('\n')}\n`);
    }
}

/** Milliseconds that a question took; which of the two statements came after the search. */
interface Took extends Record<'own' | 'bare' | 'cheapest' | 'ownCpu' | 'bareCpu', number> {
  before: readonly ('bare' | 'cheapest')[];
}

/** The mean of the medians of both orders. */
function compare(
  times: readonly Took[],
  name: 'bare' | 'cheapest',
  differenceOf: (took: Took) => number,
): number {
  const [first, later] = [true, false].map(isFirst =>
    median(times.filter(({ before }) => before.includes(name) === isFirst).map(differenceOf)),
  );
  return (first! + later!) / 2;
}

async function measureWay(
  { db, search }: SearchedRows,
  { ask, bare }: Way,
  questions: readonly Question[],
  atOnce: number,
): Promise<readonly string[]> {
  const times: Took[] = [];
  const askAll = async (question: Question, place: number) => {
    const took: Took = { own: 0, bare: 0, cheapest: 0, ownCpu: 0, bareCpu: 0, before: [] };
    const turns = [
      async () => {
        took.before = (['bare', 'cheapest'] as const).filter(name => took[name] === 0);
        const asked = ask(question);
        const before = readCpuMs();
        took.own = await time(() => search(asked));
        took.ownCpu = readCpuMs() - before;
      },
      ...(bare === undefined
        ? []
        : [
            async () => {
              const before = readCpuMs();
              took.bare = await time(() => askBare(db, question.vector, bare));
              took.bareCpu = readCpuMs() - before;
            },
            async () => {
              took.cheapest = await time(() => askCheapest(db, question.vector));
            },
          ]),
    ];
    for (const turn of orderTurns(turns, place)) await turn();
    times.push(took);
  };
  // What is opened once is not timed.
  await search(ask(questions[0]!));
  const readCpuMs = await followCpu(db);
  await inLanes(questions, atOnce, askAll);
  const rates = [
    await rateOf(questions, atOnce, question => search(ask(question))),
    bare && (await rateOf(questions, atOnce, ({ vector }) => askBare(db, vector, bare))),
  ];
  const own = times.map(took => took.own);
  const cells = [at(own, 0.5), at(own, 0.95), at(own, 0.99)];
  const beside = (['bare', 'cheapest'] as const).flatMap(name => [
    median(times.map(took => took[name])),
    compare(times, name, took => took.own - took[name]),
  ]);
  const ownCpu = times.map(took => took.ownCpu);
  const cpu = [at(ownCpu, 0.5), at(ownCpu, 0.95)];
  const bareCpu = [
    median(times.map(took => took.bareCpu)),
    compare(times, 'bare', took => took.ownCpu - took.bareCpu),
  ];
  const show = (values: readonly number[], isTold = true) =>
    values.map(each => (isTold ? each.toFixed(1) : '–'));
  const hasBare = bare !== undefined;
  return [
    ...[...show(cells), ...show(beside, hasBare)],
    ...[...show(cpu, atOnce === 1), ...show(bareCpu, hasBare && atOnce === 1)],
    ...rates.map(rate => rate?.toFixed(0) ?? '–'),
  ];
}

/** Asks all questions in so many lanes, each of which asks the next one once it has its answer. */
async function inLanes(
  questions: readonly Question[],
  lanes: number,
  ask: (question: Question, place: number) => Promise<unknown>,
): Promise<void> {
  const waiting = [...questions.entries()];
  const work = async () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) await ask(next[1], next[0]);
  };
  await Promise.all(Array.from({ length: lanes }, work));
}

/** Measures questions a second. */
async function rateOf(...[questions, lanes, ask]: Parameters<typeof inLanes>): Promise<number> {
  return (1000 * questions.length) / (await time(() => inLanes(questions, lanes, ask)));
}

/**
 * Orders turns: over six places, three turns stand in each of their six orders once.
 * Rotations alone would not do: in two of three of them, the first turn comes before the second.
 */
function orderTurns<Turn>(turns: readonly Turn[], place: number): readonly Turn[] {
  const start = place % turns.length;
  const rotated = [...turns.slice(start), ...turns.slice(0, start)];
  return place % 2 === 0 ? rotated : rotated.reverse();
}

/** Gives what reads the processor time of this process and of the database's sessions until now. */
async function followCpu({ kysely }: SqlDatabase): Promise<() => number> {
  const { rows } = await sql<{ pid: number }>`
    SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'`.execute(
    kysely,
  );
  return () => {
    const { user, system } = process.cpuUsage();
    const sessions = rows.map(({ pid }) => {
      try {
        return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6;
      } catch {
        return 0;
      }
    });
    return (user + system) / 1000 + sessions.reduce((sum, each) => sum + each, 0);
  };
}

async function time(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

async function askBare(
  db: SqlDatabase,
  vector: string,
  { where, candidates }: NonNullable<Way['bare']>,
): Promise<void> {
  await db.kysely.transaction().execute(async transaction => {
    await sql`SELECT set_config('hnsw.ef_search', ${String(candidates)}, true),
      set_config('hnsw.iterative_scan', 'strict_order', true), set_config('jit', 'off', true)`.execute(
      transaction,
    );
    await sql`SELECT s.id, s.title, e.embedding <=> ${vector}::vector AS distance
      FROM public.ai_items AS s JOIN embeddings.ai_items AS e USING (id)
     WHERE ${sql.raw(where)} ORDER BY e.embedding <=> ${vector}::vector LIMIT ${LIMIT}`.execute(transaction);
  });
}

async function askCheapest(db: SqlDatabase, vector: string): Promise<void> {
  await sql`SELECT id FROM embeddings.ai_items
     ORDER BY embedding <=> ${vector}::vector LIMIT ${LIMIT}`.execute(db.kysely);
}

const median = (values: readonly number[]) => at(values, 0.5);

/** The value below which a share of them lies. */
function at(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}
