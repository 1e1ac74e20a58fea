import type { ResultObject } from '../../../core/model/result-object.ts';
import type { Space } from '../../../core/model/space.ts';
import { setElementOid } from '../../../core/vectors/set-element-oid.ts';
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
 * One transaction, one statement per step. Locks are taken in one order everywhere: ledger, vectors, verdicts, leases, each by key. An
 * object without calls cannot be known as repeated; writing it again changes nothing that the guard would not let it change.
 */
export async function writeResult(db: SqlDatabase, space: Space, result: ResultObject): Promise<WriteReport> {
  const { calls, outcomes, copies, touches, verdicts } = result;
  const kinds = [outcomes, copies, touches].filter(entries => entries.length > 0);
  const ids = [...new Set(kinds.flatMap(entries => entries.map(entry => entry.id)))];
  const vectors = setElementOid(result.vectors, await db.vectorTypeOid());
  return db.kysely
    .transaction()
    .setIsolationLevel('read committed')
    .execute(async transaction => {
      const recorded = await recordCalls(transaction, result);
      if (calls.length > 0 && recorded === 0) return REPEATED;
      if (kinds.length > 1) await lockOutcomes(transaction, space, ids);
      const written = await upsertOutcomes(transaction, space, outcomes, vectors);
      const copied = await copyOutcomes(transaction, space, copies);
      const touched = await touchOutcomes(transaction, space, touches);
      await rememberVerdicts(transaction, space.spaceId, verdicts);
      await releaseLeases(transaction, space, result.dispatchId, ids);
      const applied = written.embedded + written.excluded + written.failed + copied + touched;
      return { repeated: false, ...written, copied, touched, overtaken: Math.max(0, ids.length - applied) };
    });
}
