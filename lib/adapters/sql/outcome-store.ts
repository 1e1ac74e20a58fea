import { type Kysely, sql } from 'kysely';
import type { Space } from '../../core/model.ts';
import { type ResultObject, splitByRow, type Verdict } from '../../core/result-object.ts';
import { encodeVectorArray, joinVectorArrays } from '../../core/vectors.ts';
import type { OutcomeStore, RefusedRow, WriteReport } from '../../ports/outcome-store.ts';
import type { SqlDatabase } from './database.ts';
import { type Culprit, changeEach, divideRows, mayBeOfOneRow, withinSavepoint } from './divide-rows.ts';
import { arrayLiteral, forceGenericPlans, prepared } from './fragments.ts';
import type { FreshetTables } from './freshet-tables.ts';
import { expireLeases, releaseLeases } from './lease-stages.ts';
import { noteUnstored } from './necessary-spending.ts';
import { copyOutcomes, lockOutcomes, touchOutcomes, upsertOutcomes } from './outcomes.ts';
import { nameSourceFault } from './source-faults.ts';

export function createOutcomeStore(db: SqlDatabase): OutcomeStore {
  return {
    writeResult: (space, result) => nameSourceFault(db, space, () => writeResults(db, space, [result])),
    writeResults: (space, results) => nameSourceFault(db, space, () => writeResults(db, space, results)),
    expireLeases: (space, dispatchId, ids) => expireLeases(db, space, dispatchId, ids),
    async areRecorded(callIds) {
      const { rows } = await sql<{ recorded: number }>`${prepared}
        SELECT count(*)::float8 AS recorded FROM freshet.ledger
         WHERE call_id = ANY (${arrayLiteral([...callIds])}::uuid[]) AND ${forceGenericPlans}`.execute(
        db.kysely,
      );
      return rows[0]?.recorded === new Set(callIds).size;
    },
  };
}

const REPEATED: WriteReport = {
  repeated: true,
  embedded: 0,
  copied: 0,
  touched: 0,
  excluded: 0,
  failed: 0,
  overtaken: 0,
};

/**
 * Writes result objects in one transaction, with one statement per step for all of them.
 * Where a statement fails by what may be one row's fault, the transaction is made anew and its rows
 * are written in halves.
 */
async function writeResults(
  db: SqlDatabase,
  space: Space,
  results: readonly ResultObject[],
): Promise<WriteReport> {
  const elementOid = await db.vectorTypeOid(space.source.storage);
  try {
    return await writeUnwritten(db, space, results, (transaction, unwritten) =>
      writeWhole(transaction, space, unwritten, elementOid),
    );
  } catch (error) {
    if (!mayBeOfOneRow(error)) throw error;
    return writeUnwritten(db, space, results, (transaction, unwritten) =>
      writeDivided(transaction, space, unwritten, elementOid),
    );
  }
}

type Written = Omit<WriteReport, 'repeated' | 'overtaken'>;

/**
 * Writes the objects that the ledger does not hold yet, in one transaction with its ledger rows.
 * Locks are taken in one order everywhere: ledger, vectors, verdicts, leases, each by key (leases
 * by dispatch first).
 * An object without calls cannot be known as repeated. Writing it again changes nothing that the
 * guard would not let it change.
 */
function writeUnwritten(
  db: SqlDatabase,
  space: Space,
  results: readonly ResultObject[],
  write: (transaction: Kysely<FreshetTables>, unwritten: readonly ResultObject[]) => Promise<Written>,
): Promise<WriteReport> {
  return db.kysely
    .transaction()
    .setIsolationLevel('read committed')
    .execute(async transaction => {
      const inserted = await insertCalls(transaction, space.spaceId, results);
      const unwritten = results.filter(
        ({ calls }) => calls.length === 0 || calls.some(({ callId }) => inserted.has(callId)),
      );
      if (unwritten.length === 0) return REPEATED;
      const written = await write(transaction, unwritten);
      if (hasUnstored(unwritten, written)) await noteUnstored(transaction, space, unwritten);
      const applied = written.embedded + written.excluded + written.failed + written.copied + written.touched;
      const ids = new Set(unwritten.flatMap(idsOf));
      return { repeated: false, ...written, overtaken: Math.max(0, ids.size - applied) };
    });
}

/** Whether an outcome was bought that nobody wants any more, or that could not be written. */
function hasUnstored(results: readonly ResultObject[], written: Written): boolean {
  const brought = results.reduce((sum, { outcomes }) => sum + outcomes.length, 0);
  const stored = written.embedded + written.excluded + written.failed;
  return stored < brought || written.refused !== undefined;
}

/** Writes outcomes, copies, touches and verdicts, and ends the leases of their rows. */
async function writeWhole(
  transaction: Kysely<FreshetTables>,
  space: Space,
  results: readonly ResultObject[],
  elementOid: number,
): Promise<Written> {
  const outcomes = results.flatMap(result => result.outcomes);
  const copies = results.flatMap(result => result.copies);
  const touches = results.flatMap(result => result.touches);
  const kinds = [outcomes, copies, touches].filter(entries => entries.length > 0);
  if (kinds.length > 1) await lockOutcomes(transaction, space, [...new Set(results.flatMap(idsOf))]);
  const vectors = joinVectorArrays(
    results.map(result => result.vectors),
    elementOid,
  );
  const written = await upsertOutcomes(transaction, space, outcomes, vectors);
  const copied = await copyOutcomes(transaction, space, copies);
  const touched = await touchOutcomes(transaction, space, touches);
  const verdicts = results.flatMap(result => result.verdicts);
  await rememberVerdicts(transaction, space.spaceId, verdicts);
  await releaseAll(transaction, space, results);
  return { ...written, copied, touched };
}

/**
 * Writes what could not be written as a whole: in halves, each within a savepoint.
 * A row that the database refuses alone gets the outcome `undelivered:sqlstate_…` for its version.
 * Where not even that is taken, or more rows fail than the budget of statements finds, leases
 * expire: `detect` comes back to them, and the others are written all the same.
 */
async function writeDivided(
  transaction: Kysely<FreshetTables>,
  space: Space,
  results: readonly ResultObject[],
  elementOid: number,
): Promise<Written> {
  let sum: Written = { embedded: 0, excluded: 0, failed: 0, copied: 0, touched: 0 };
  const write = async (rows: readonly ResultObject[]) => {
    const written = await withinSavepoint(transaction, () =>
      writeWhole(transaction, space, rows, elementOid),
    );
    sum = addWritten(sum, written);
  };
  const verdicts = results.flatMap(result => result.verdicts);
  await rememberVerdicts(transaction, space.spaceId, verdicts);
  const { culprits, left } = await divideRows(results.flatMap(splitByRow), write);
  const refused: RefusedRow[] = [];
  const unwritten = [...left];
  for (const result of culprits.map(toRefused)) {
    try {
      await write([result]);
      refused.push(...result.outcomes.map(({ id, outcome }) => ({ id, outcome })));
    } catch (error) {
      if (!mayBeOfOneRow(error)) throw error;
      unwritten.push(result);
    }
  }
  for (const { dispatchId, ...row } of unwritten) {
    const expire = (ids: readonly string[]) =>
      withinSavepoint(transaction, () => expireLeases({ kysely: transaction }, space, dispatchId, ids));
    await changeEach(idsOf(row), expire);
  }
  return refused.length === 0 ? sum : { ...sum, refused };
}

function addWritten(sum: Written, more: Written): Written {
  return {
    embedded: sum.embedded + more.embedded,
    excluded: sum.excluded + more.excluded,
    failed: sum.failed + more.failed,
    copied: sum.copied + more.copied,
    touched: sum.touched + more.touched,
  };
}

/** The object of one culprit, with what stands in place of the outcome that was meant. */
function toRefused({ item, error }: Culprit<ResultObject>): ResultObject {
  const outcomes = [...item.outcomes, ...item.copies, ...item.touches].map(entry => ({
    id: entry.id,
    version: entry.version,
    xid: entry.xid,
    readAt: entry.readAt,
    outcome: `undelivered:${error.code}` as const,
    contentHash: null,
    textLength: 'textLength' in entry ? entry.textLength : 0,
    keptLength: 0,
    tokens: 0,
  }));
  const vectors = encodeVectorArray(
    outcomes.map(() => null),
    item.dimensions,
    item.storage,
  );
  return { ...item, outcomes, copies: [], touches: [], vectors };
}

/**
 * Enters the objects' calls into the ledger and settles their grants.
 * Resolves with the ids of the calls that were new. A second writer of an object waits here, on the
 * ledger's key, until the first writer has committed, and then finds all calls in the ledger. The
 * statement stands first in the transaction.
 */
async function insertCalls(
  db: Kysely<FreshetTables>,
  spaceId: number,
  results: readonly ResultObject[],
): Promise<ReadonlySet<string>> {
  const calls = results.flatMap(({ calls, runId }) => calls.map(call => ({ ...call, runId })));
  if (calls.length === 0) return new Set();
  const callIds = arrayLiteral(calls.map(call => call.callId));
  const { rows } = await sql<{ callId: string }>`${prepared}
    WITH settled AS (
      DELETE FROM freshet.grants WHERE call_id = ANY (${callIds}::uuid[])
      RETURNING call_id, estimated_tokens
    )
    INSERT INTO freshet.ledger (call_id, space_id, model_alias, lane, items, unique_texts, tokens, cost_usd,
                                latency_ms, outcome, request_id, run_id, estimated_tokens)
    SELECT u.call_id, ${spaceId}::int, u.model_alias, u.lane, u.items, u.unique_texts, u.tokens,
           u.cost_usd, u.latency_ms, u.outcome, u.request_id, u.run_id,
           (SELECT estimated_tokens FROM settled WHERE settled.call_id = u.call_id)
      FROM unnest(${callIds}::uuid[],
                  ${arrayLiteral(calls.map(call => call.modelAlias))}::text[],
                  ${arrayLiteral(calls.map(call => call.lane))}::text[],
                  ${arrayLiteral(calls.map(call => call.items))}::int[],
                  ${arrayLiteral(calls.map(call => call.uniqueTexts))}::int[],
                  ${arrayLiteral(calls.map(call => call.tokens))}::bigint[],
                  ${arrayLiteral(calls.map(call => call.costUsd))}::float8[],
                  ${arrayLiteral(calls.map(call => call.latencyMs))}::float8[],
                  ${arrayLiteral(calls.map(call => call.outcome))}::text[],
                  ${arrayLiteral(calls.map(call => call.requestId))}::text[],
                  ${arrayLiteral(calls.map(call => call.runId))}::int[])
        AS u (call_id, model_alias, lane, items, unique_texts, tokens, cost_usd, latency_ms, outcome,
              request_id, run_id)
     WHERE ${forceGenericPlans}
     ORDER BY u.call_id
    ON CONFLICT (call_id) DO NOTHING
    RETURNING call_id::text AS "callId"`.execute(db);
  return new Set(rows.map(({ callId }) => callId));
}

/**
 * Stores verdicts; a hash that was refused before has one attempt more.
 * The verdicts are ordered by hash, one line per hash, for the same reasons as outcomes.
 */
async function rememberVerdicts(
  db: Kysely<FreshetTables>,
  spaceId: number,
  verdicts: readonly Verdict[],
): Promise<void> {
  if (verdicts.length === 0) return;
  await sql`INSERT INTO freshet.failures AS f (space_id, content_hash, failure_class, code)
    SELECT DISTINCT ON (u.content_hash) ${spaceId}::int, decode(u.content_hash, 'hex'),
           u.failure_class, u.code
      FROM unnest(${arrayLiteral(verdicts.map(verdict => verdict.contentHash))}::text[],
                  ${arrayLiteral(verdicts.map(verdict => verdict.failureClass))}::text[],
                  ${arrayLiteral(verdicts.map(verdict => verdict.code))}::text[])
        AS u (content_hash, failure_class, code)
     ORDER BY u.content_hash
    ON CONFLICT (space_id, content_hash) DO UPDATE SET
      failure_class = excluded.failure_class, code = excluded.code,
      attempts = f.attempts + 1, last_at = now()`.execute(db);
}

async function releaseAll(
  transaction: Parameters<typeof releaseLeases>[0],
  space: Space,
  results: readonly ResultObject[],
): Promise<void> {
  const dispatches = Map.groupBy(results, ({ dispatchId }) => dispatchId);
  for (const dispatchId of [...dispatches.keys()].sort()) {
    const ids = new Set(dispatches.get(dispatchId)?.flatMap(idsOf));
    await releaseLeases(transaction, space, dispatchId, [...ids]);
  }
}

const idsOf = ({ outcomes, copies, touches }: Pick<ResultObject, 'outcomes' | 'copies' | 'touches'>) =>
  [...outcomes, ...copies, ...touches].map(({ id }) => id);
