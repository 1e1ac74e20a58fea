import { sql } from 'kysely';
import { expect } from 'vitest';
import type { createLambda as createDetect } from '../../functions/detect/handler.ts';
import type { createLambda as createEmbed } from '../../functions/embed/handler.ts';
import type { createLambda as createMigrate } from '../../functions/migrate/handler.ts';
import type { createLambda as createWrite } from '../../functions/write/handler.ts';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { digestVectorForText } from '../doubles/vector-for-text.ts';
import { makeContext } from '../factories/lambda-event.ts';
import { type Polled, pollQueue } from './lambda-poller.ts';
import type { Deployment } from './open-deployment.ts';

export interface Functions {
  readonly migrate: ReturnType<typeof createMigrate>;
  readonly detect: ReturnType<typeof createDetect>;
  readonly embed: ReturnType<typeof createEmbed>;
  readonly write: ReturnType<typeof createWrite>;
}

const POISON = 'POISON';
/** One row in so many is refused; likewise for empty rows and rows with an equal text. */
const POISON_EVERY = 331;
const EMPTY_EVERY = 997;
const EQUAL_EVERY = 100;

const UNREADABLE = ['no json', '{"v":99}', '{}'];

/** Takes the exports that Lambda invokes out of what was built. */
export function loadFunctions(load: <Module>(name: keyof Functions) => Module): Functions {
  return {
    migrate: load<{ handler: Functions['migrate'] }>('migrate').handler,
    detect: load<{ handler: Functions['detect'] }>('detect').handler,
    embed: load<{ handler: Functions['embed'] }>('embed').handler,
    write: load<{ handler: Functions['write'] }>('write').handler,
  };
}

/** Creates the rows of the test; no two texts are equal but those that are so on purpose. */
export async function createRows(db: SqlDatabase, rows: number): Promise<void> {
  await sql`CREATE TABLE public.ai_items (id bigint PRIMARY KEY, title text, summary text,
    updated_at timestamptz NOT NULL DEFAULT now())`.execute(db.kysely);
  await sql`INSERT INTO public.ai_items (id, title, summary, updated_at)
    SELECT n, CASE WHEN n % ${EMPTY_EVERY}::int = 0 THEN '' WHEN n % ${POISON_EVERY}::int = 0 THEN ${`${POISON} `} || n
                   WHEN n % ${EQUAL_EVERY}::int = 0 THEN 'the same' ELSE 'title ' || n END,
           CASE WHEN n % ${EMPTY_EVERY}::int = 0 OR n % ${EQUAL_EVERY}::int = 0 THEN NULL ELSE 'summary of ' || n END,
           now() - interval '1 day' + n * interval '1 second'
      FROM generate_series(1, ${rows}::int) AS n`.execute(db.kysely);
}

/** Makes the provider refuse poison, fail one call and break off another. */
export function misbehave({ provider }: Deployment): void {
  provider.setBehaviour(({ texts }, callsBefore) => {
    if (texts.some(text => text.includes(POISON))) return { kind: 'status', status: 400 };
    if (callsBefore === 7) return { kind: 'status', status: 500 };
    if (callsBefore === 11) return { kind: 'cut-body' };
    return { kind: 'embed' };
  });
}

/**
 * Runs ticks and empties the queues until a tick finds nothing; resolves with the polls.
 *
 * The first tick finds every row. The queues also hold messages that nobody can read. Further
 * ticks find the rows that were given back.
 */
export async function embedEverything(deployment: Deployment, functions: Functions): Promise<Polled[]> {
  const { queues, client, send } = deployment;
  const polls: Polled[] = [];
  const embedFrom = { client, batchSize: 5, invoke: functions.embed };
  const sources = [
    { ...embedFrom, url: queues.fresh.url },
    { ...embedFrom, url: queues.bulk.url },
    { client, batchSize: 10, url: queues.results.url, invoke: functions.write },
  ];
  const [forFresh, forBulk, forResults] = UNREADABLE;
  let found = await functions.detect({ pass: 'reconcile' }, makeContext());
  await send(queues.fresh.url, forFresh ?? '');
  await send(queues.bulk.url, forBulk ?? '');
  await send(queues.results.url, forResults ?? '');
  for (;;) {
    let received = 0;
    for (const source of sources) {
      const polled = await pollQueue(source);
      received += polled.received;
      if (polled.received > 0) polls.push(polled);
    }
    if (received > 0) continue;
    found = await functions.detect({ pass: 'reconcile' }, makeContext());
    if (found.spaces.every(({ leased }) => leased === 0)) return polls;
  }
}

/**
 * Expects the vector of its text, to the last bit, or the refusal of every row.
 *
 * The only dead letters are the messages that nobody can read, sent by each of so many
 * `embedEverything`.
 */
export async function expectEverythingEmbedded(
  db: SqlDatabase,
  deployment: Deployment,
  dimensions: number,
  times = 1,
): Promise<void> {
  const { rows } = await sql<{ id: number; text: string; outcome: string | null; digest: string | null }>`
    SELECT i.id::int AS id, concat_ws(E'\n', nullif(i.title, ''), nullif(i.summary, '')) AS text, v.outcome,
           encode(sha256(vector_send(v.embedding)), 'hex') AS digest
      FROM public.ai_items AS i LEFT JOIN freshet.vectors_1 AS v ON v.item_id = i.id ORDER BY i.id`.execute(
    db.kysely,
  );
  const digests = new Map<string, string>();
  const digestOf = (text: string) => {
    if (!digests.has(text)) digests.set(text, digestVectorForText(text, dimensions));
    return digests.get(text);
  };
  const wrong = rows.filter(({ text, outcome, digest }) => {
    if (text === '') return outcome !== 'excluded:empty';
    if (text.includes(POISON)) return outcome !== 'refused:http_400';
    return outcome !== 'embedded' || digest !== digestOf(text);
  });
  expect(wrong).toEqual([]);
  const leases = await sql<{ n: number }>`SELECT count(*)::int AS n FROM freshet.leases`.execute(db.kysely);
  expect(leases.rows).toEqual([{ n: 0 }]);
  expect((await deployment.deadBodies()).sort()).toEqual(Array(times).fill(UNREADABLE).flat().sort());
}
