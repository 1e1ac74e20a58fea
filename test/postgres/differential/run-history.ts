import { sql } from 'kysely';
import { TICK_LOCK_CLASS } from '../../../lib/adapters/sql/database.ts';
import { keyColumnsOf } from '../../../lib/adapters/sql/key-columns.ts';
import { FreshetError } from '../../../lib/core/errors.ts';
import { printNullable, printTimestamp, seconds } from '../../twin/timestamps.ts';
import { sourceOf, spaceOf } from '../../twin/twin-database.ts';
import { OPERATIONS, WEIGHTED_NAMES } from './operations.ts';
import { type Change, type OpenChange, type Pair, writeKey } from './pair.ts';

export interface Difference {
  readonly operation: string;
  readonly real: string;
  readonly twin: string;
  readonly trace: readonly string[];
}

/**
 * Runs one history on both, and resolves with the first difference if there is one.
 *
 * Afterwards open transactions are rolled back and all tables emptied.
 */
export async function runHistory(pair: Pair, operations: number): Promise<Difference | undefined> {
  try {
    for (let count = 0; count < operations; count += 1) {
      await passTime(pair);
      const difference = (await changeSource(pair)) ?? (await operate(pair));
      if (difference) return difference;
    }
    return await compareTables(pair);
  } finally {
    for (const { session } of pair.open) await session.end('ROLLBACK');
    await empty(pair);
  }
}

async function operate(pair: Pair): Promise<Difference | undefined> {
  const name = pair.random.pick(WEIGHTED_NAMES);
  const operation = OPERATIONS[name] as (typeof OPERATIONS)[string];
  const answers = await operation(pair).catch((error: unknown) => {
    // The twin refuses nothing that these histories do.
    if (!(error instanceof FreshetError)) throw error;
    return { real: `rejected: ${error.code}`, twin: 'an answer' };
  });
  pair.trace.push(`${printTimestamp(pair.nowMicros)} ${name} ${stringify(answers.twin)}`);
  return compare(pair, name, answers.real, answers.twin);
}

function compare(pair: Pair, operation: string, real: unknown, twin: unknown): Difference | undefined {
  const [realText, twinText] = [stringify(real), stringify(twin)];
  if (realText === twinText) return undefined;
  return { operation, real: realText, twin: twinText, trace: pair.trace };
}

/** Moves the time: mostly by minutes or less, a few times by an hour, now and then back. */
async function passTime(pair: Pair): Promise<void> {
  const { random } = pair;
  if (pair.trace.length > 0 && random.chance(0.3)) return;
  const stepSeconds = random.chance(0.04)
    ? -random.below(600)
    : random.chance(0.15)
      ? 3000 + random.below(7200)
      : random.pick([0, 0.000001, 1, 30, 119, 400]);
  pair.nowMicros += seconds(stepSeconds) + random.below(3);
  await pair.server.setNow(pair.nowMicros);
}

/**
 * Lets the application begin, commit or roll back.
 *
 * Rows that an open transaction wrote are left alone, or its sessions would wait for each other.
 */
async function changeSource(pair: Pair): Promise<undefined> {
  const { random } = pair;
  if (pair.open.length > 0 && random.chance(0.35)) return endTransaction(pair);
  if (pair.idle.length === 0 || !random.chance(0.45)) return undefined;
  const written = new Set(pair.open.flatMap(({ changes }) => changes.map(({ id }) => id)));
  const free = pair.keys.filter(id => !written.has(id));
  if (free.length === 0) return undefined;
  // Now and then somebody empties the table.
  const empties = random.chance(0.12);
  const changed = empties ? free : random.shuffle(free).slice(0, random.between(1, 3));
  const changes = changed.map(id => (empties ? { id, kind: 'delete' as const } : drawChange(pair, id)));
  const session = pair.idle.pop() as OpenChange['session'];
  const lockClass = random.pick([undefined, undefined, TICK_LOCK_CLASS, OTHER_LOCK_CLASS]);
  if (lockClass === TICK_LOCK_CLASS) return beginTick(pair, session);
  const xid = await session.begin(pair.nowMicros, [
    ...changes.map(change => writeStatement(pair, change)),
    ...(lockClass ? [lockStatement(lockClass)] : []),
  ]);
  const transaction = { xid, startedAt: pair.nowMicros, prepared: false };
  pair.twin.openTransactions.add(transaction);
  pair.open.push({ session, transaction, changes });
  pair.trace.push(`${printTimestamp(pair.nowMicros)} begin ${xid} ${stringify(changes)}`);
  if (random.chance(0.5)) await endTransaction(pair);
  return undefined;
}

/** Class of an advisory lock that the application may hold: no tick's. */
const OTHER_LOCK_CLASS = 7;

/** Any number of sessions hold it at once, which a history needs and a tick's own lock would not let. */
const lockStatement = (lockClass: number) => `SELECT pg_advisory_xact_lock_shared(${lockClass}, 1)`;

/** Opens a transaction that holds the lock of a tick and changes nothing. */
async function beginTick(pair: Pair, session: OpenChange['session']): Promise<undefined> {
  const xid = await session.begin(pair.nowMicros, [lockStatement(TICK_LOCK_CLASS)]);
  const transaction = { xid, startedAt: pair.nowMicros, prepared: false, holdsTick: true };
  pair.twin.openTransactions.add(transaction);
  pair.open.push({ session, transaction, changes: [] });
  pair.trace.push(`${printTimestamp(pair.nowMicros)} tick ${xid}`);
  return undefined;
}

function drawChange({ random, nowMicros, twin, space }: Pair, id: string): Change {
  if (random.chance(0.35)) return { id, kind: 'delete' };
  const before = sourceOf(twin, space).rows.get(id);
  // An edit that does not bump its version: only `xmin` tells.
  if (before && random.chance(0.2)) return { id, kind: 'put', text: 'unbumped', version: before.version };
  const version = random.chance(0.1)
    ? null
    : nowMicros - (random.chance(0.2) ? seconds(random.below(900)) : 0);
  return { id, kind: 'put', text: random.pick([null, '', 'one', 'two', 'a longer text', 'żółw']), version };
}

function writeStatement({ space }: Pair, change: Change): string {
  const table = `"${space.source.schema}"."${space.source.table}"`;
  const { columns, values } = writeKey(change.id);
  if (change.kind === 'delete') return `DELETE FROM ${table} WHERE (${columns}) = (${values})`;
  const text = change.text === null ? 'NULL' : `'${change.text}'`;
  const version = change.version === null ? 'NULL' : `'${printTimestamp(change.version)}'`;
  return `INSERT INTO ${table} (${columns}, title, updated_at) VALUES (${values}, ${text}, ${version})
    ON CONFLICT (${columns}) DO UPDATE SET title = excluded.title, updated_at = excluded.updated_at`;
}

async function endTransaction(pair: Pair): Promise<undefined> {
  const { random, twin, space } = pair;
  const [ended] = pair.open.splice(random.below(pair.open.length), 1);
  if (!ended) return undefined;
  const { session, transaction, changes } = ended;
  const commits = random.chance(0.85);
  await session.end(commits ? 'COMMIT' : 'ROLLBACK');
  pair.idle.push(session);
  twin.openTransactions.delete(transaction);
  pair.trace.push(`${printTimestamp(pair.nowMicros)} ${commits ? 'commit' : 'rollback'} ${transaction.xid}`);
  if (!commits) return undefined;
  const { rows } = sourceOf(twin, space);
  for (const change of changes) {
    if (change.kind === 'delete') rows.delete(change.id);
    else
      rows.set(change.id, {
        id: change.id,
        text: change.text,
        version: change.version,
        xid: transaction.xid,
      });
  }
  return undefined;
}

/** Words in an order of their own, and whether they are those of the outcome's reading. */
const WORDS = sql`, CASE WHEN keywords_read_at IS DISTINCT FROM read_at THEN 'of another reading'
  WHEN keywords IS NOT NULL THEN (SELECT coalesce(string_agg(word, ' ' ORDER BY word COLLATE "C"), '')
    FROM unnest(tsvector_to_array(keywords)) AS word) END`;

function printWords(text: string | null | undefined): string | null {
  return text == null ? null : [...new Set(text.split(' '))].sort().join(' ');
}

async function compareTables(pair: Pair): Promise<Difference | undefined> {
  const { server, space, twin } = pair;
  const keepsWords = space.source.keywordLanguage !== undefined;
  const keys = keyColumnsOf(space.source);
  const { rows } = await sql<{ tables: unknown }>`SELECT json_build_object(
      'outcomes', (SELECT coalesce(json_object_agg(${keys.text(keys.stored('v'))}, json_build_array(outcome, encode(content_hash, 'hex'),
          source_version::text, source_xid::text, read_at::text, text_length, kept_length, tokens,
          embedding::text, embedded_at::text, missing_since::text${keepsWords ? WORDS : sql``})), '{}') FROM ${sql.id('freshet', space.vectorTable)} AS v),
      'leases', (SELECT coalesce(json_object_agg(item_id, json_build_array(dispatch_id::text, lane, stage, attempts, run_id,
          first_seen::text, expires_at::text)), '{}') FROM freshet.leases),
      'position', (SELECT json_build_array(watermark, reconcile_cursor, pass_started_at::text, last_pass_started_at::text,
          last_pass_ended_at::text, unsent_since::text) FROM freshet.positions),
      'failures', (SELECT coalesce(json_object_agg(encode(content_hash, 'hex'), json_build_array(failure_class, code, attempts)), '{}')
          FROM freshet.failures),
      'pauses', (SELECT coalesce(json_object_agg(scope || ' ' || reason, json_build_array(detail, since::text, probed_at::text)), '{}')
          FROM freshet.control),
      'grants', (SELECT coalesce(json_agg(call_id::text || CASE WHEN lost_at IS NULL THEN '' ELSE ' lost' END
          ORDER BY call_id), '[]') FROM freshet.grants),
      'paces', (SELECT coalesce(json_object_agg(model_alias, json_build_array(texts_per_call, calls_at_once, seconds_per_token,
          (SELECT coalesce(json_object_agg(key, round(value::numeric * 1000000)), '{}') FROM jsonb_each(in_flight)))), '{}')
          FROM freshet.paces),
      'ledger', (SELECT coalesce(json_agg(call_id::text ORDER BY call_id), '[]') FROM freshet.ledger)) AS tables`.execute(
    server.db.kysely,
  );
  const table = spaceOf(twin, space);
  const { position } = table;
  const twinTables = {
    outcomes: Object.fromEntries(
      [...table.outcomes.values()].map(row => [
        row.id,
        [
          ...[
            row.outcome,
            row.contentHash,
            printNullable(row.version),
            row.xid === null ? null : String(row.xid),
          ],
          ...[
            printTimestamp(row.readAt),
            row.textLength,
            row.keptLength,
            row.tokens,
            printVector(row.vector),
          ],
          ...[printNullable(row.embeddedAt), printNullable(row.missingSince)],
          ...(keepsWords ? [printWords(row.wordsOf)] : []),
        ],
      ]),
    ),
    leases: Object.fromEntries(
      [...table.leases.values()].map(lease => [
        lease.id,
        [
          ...[lease.dispatchId, lease.lane, lease.stage, lease.attempts, lease.runId],
          ...[printTimestamp(lease.firstSeen), printTimestamp(lease.expiresAt)],
        ],
      ]),
    ),
    position: position
      ? [
          ...[
            printNullable(position.watermark),
            position.reconcileCursor,
            printNullable(position.passStartedAt),
          ],
          ...[printNullable(position.lastPassStartedAt), printNullable(position.lastPassEndedAt)],
          printNullable(position.unsentSince),
        ]
      : null,
    failures: Object.fromEntries(
      [...table.failures].map(([hash, { failureClass, code, attempts }]) => [
        hash,
        [failureClass, code, attempts],
      ]),
    ),
    pauses: Object.fromEntries(
      twin.pauses.map(({ scope, reason, detail, since, probedAt }) => [
        `${scope} ${reason}`,
        [detail, printTimestamp(since), printNullable(probedAt ?? null)],
      ]),
    ),
    grants: [...twin.grants.values()].map(({ callId, isLost }) => callId + (isLost ? ' lost' : '')).sort(),
    paces: Object.fromEntries(
      [...twin.paces].map(([alias, { pace, inFlight }]) => [
        alias,
        [pace.textsPerCall, pace.callsAtOnce, pace.secondsPerToken, Object.fromEntries(inFlight)],
      ]),
    ),
    ledger: [...twin.ledger.keys()].sort(),
  };
  return compare(pair, 'tables', rows[0]?.tables, twinTables);
}

function printVector(vector: Buffer | null): string | null {
  if (vector === null) return null;
  return `[${Array.from({ length: vector.length / 4 }, (_, place) => vector.readFloatBE(place * 4)).join(',')}]`;
}

async function empty({ server, space }: Pair): Promise<void> {
  const { schema, table } = space.source;
  const tables = [
    'leases',
    'positions',
    'failures',
    'grants',
    ...['ledger', 'spending', 'query_ledger', 'query_spending'],
    'control',
    'paces',
    space.vectorTable,
  ];
  await sql
    .raw(
      [
        ...tables.map(name => `DELETE FROM freshet."${name}"`),
        `DELETE FROM "${schema}"."${table}"`,
        'DELETE FROM twin.transactions',
      ].join(';'),
    )
    .execute(server.db.kysely);
}

/** Keys in order, sets and maps as lists: equal texts mean equal answers. */
function stringify(value: unknown): string {
  return (
    JSON.stringify(value, (_, inner: unknown) => {
      if (inner instanceof Set) return [...inner].sort();
      if (inner instanceof Map) return [...inner].sort();
      if (inner === null || typeof inner !== 'object' || Array.isArray(inner)) return inner;
      return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
    }) ?? 'nothing'
  );
}
