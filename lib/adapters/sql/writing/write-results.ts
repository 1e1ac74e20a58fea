import type { ResultObject } from '../../../core/model/result-object.ts';
import type { Space } from '../../../core/model/space.ts';
import { joinVectorArrays } from '../../../core/vectors/join-vector-arrays.ts';
import type { WriteReport } from '../../../ports/outcome-store.ts';
import type { SqlDatabase } from '../sql-database.ts';
import { copyOutcomes } from './copy-outcomes.ts';
import { lockOutcomes } from './lock-outcomes.ts';
import { recordCalls } from './record-calls.ts';
import { releaseLeases } from './release-leases.ts';
import { rememberVerdicts } from './remember-verdicts.ts';
import { touchOutcomes } from './touch-outcomes.ts';
import { upsertOutcomes } from './upsert-outcomes.ts';

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
 * Locks are taken in one order everywhere: ledger, vectors, verdicts, leases, each by key (leases
 * by dispatch first).
 * An object without calls cannot be known as repeated. Writing it again changes nothing that the
 * guard would not let it change.
 */
export async function writeResults(
  db: SqlDatabase,
  space: Space,
  results: readonly ResultObject[],
): Promise<WriteReport> {
  const elementOid = await db.vectorTypeOid();
  return db.kysely
    .transaction()
    .setIsolationLevel('read committed')
    .execute(async transaction => {
      const recorded = await recordCalls(transaction, space.spaceId, results);
      const fresh = results.filter(
        ({ calls }) => calls.length === 0 || calls.some(({ callId }) => recorded.has(callId)),
      );
      if (fresh.length === 0) return REPEATED;
      const outcomes = fresh.flatMap(result => result.outcomes);
      const copies = fresh.flatMap(result => result.copies);
      const touches = fresh.flatMap(result => result.touches);
      const ids = new Set(fresh.flatMap(idsOf));
      const kinds = [outcomes, copies, touches].filter(entries => entries.length > 0);
      if (kinds.length > 1) await lockOutcomes(transaction, space, [...ids]);
      const vectors = joinVectorArrays(
        fresh.map(result => result.vectors),
        elementOid,
      );
      const written = await upsertOutcomes(transaction, space, outcomes, vectors);
      const copied = await copyOutcomes(transaction, space, copies);
      const touched = await touchOutcomes(transaction, space, touches);
      await rememberVerdicts(
        transaction,
        space.spaceId,
        fresh.flatMap(result => result.verdicts),
      );
      await releaseAll(transaction, space, fresh);
      const applied = written.embedded + written.excluded + written.failed + copied + touched;
      return { repeated: false, ...written, copied, touched, overtaken: Math.max(0, ids.size - applied) };
    });
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

const idsOf = ({ outcomes, copies, touches }: ResultObject) =>
  [...outcomes, ...copies, ...touches].map(({ id }) => id);
