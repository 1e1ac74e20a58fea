import type { ResultObject } from '../../lib/core/model/result-object.ts';
import type { Space } from '../../lib/core/model/space.ts';
import type { OutcomeStore, WriteReport } from '../../lib/ports/outcome-store.ts';
import type { MemoryDatabase } from './memory-database.ts';

export function createMemoryOutcomeStore(database: MemoryDatabase): OutcomeStore {
  return {
    async writeResult(space, result) {
      database.record('writeResult');
      return apply(database, space, result);
    },
    async writeResults(space, results) {
      database.record('writeResults');
      const reports = results.map(result => apply(database, space, result));
      const sum = (count: (report: WriteReport) => number) =>
        reports.reduce((total, report) => total + count(report), 0);
      return {
        repeated: reports.every(({ repeated }) => repeated),
        embedded: sum(({ embedded }) => embedded),
        copied: sum(({ copied }) => copied),
        touched: sum(({ touched }) => touched),
        excluded: sum(({ excluded }) => excluded),
        failed: sum(({ failed }) => failed),
        overtaken: sum(({ overtaken }) => overtaken),
      };
    },
    async expireLeases(space, dispatchId, ids) {
      database.record('expireLeases');
      for (const id of ids) {
        const lease = database.of(space).leases.get(id);
        if (lease?.dispatchId === dispatchId) lease.expiresAtMs = database.clock.now();
      }
    },
  };
}

function apply(database: MemoryDatabase, space: Space, result: ResultObject): WriteReport {
  const table = database.of(space);
  const report = {
    ...{ repeated: false, embedded: 0, copied: 0, touched: 0, excluded: 0, failed: 0, overtaken: 0 },
  };
  const known = result.calls.filter(({ callId }) => database.ledger.has(callId)).length;
  if (result.calls.length > 0 && known === result.calls.length) return { ...report, repeated: true };
  for (const call of result.calls) {
    database.ledger.set(call.callId, call.outcome);
    database.grants.delete(call.callId);
  }
  for (const { id, version, xid, readAt, outcome, contentHash } of result.outcomes) {
    const newer = (table.outcomes.get(id)?.readAt ?? '') > readAt;
    if (newer || !table.rows.has(id)) {
      report.overtaken += 1;
      continue;
    }
    table.outcomes.set(id, { id, version, xid, readAt, outcome, contentHash });
    const leftOut = outcome === 'excluded:empty' || outcome === 'too-long';
    const kind = outcome === 'embedded' ? 'embedded' : leftOut ? 'excluded' : 'failed';
    report[kind] += 1;
  }
  for (const { id, version, xid, readAt, contentHash } of result.copies) {
    table.outcomes.set(id, { id, version, xid, readAt, outcome: 'embedded', contentHash });
    report.copied += 1;
  }
  for (const touch of result.touches) {
    const stored = table.outcomes.get(touch.id);
    if (stored?.contentHash === touch.contentHash) Object.assign(stored, touch);
    report.touched += 1;
  }
  for (const { contentHash, code } of result.verdicts) table.verdicts.set(contentHash, code);
  for (const { id } of [...result.outcomes, ...result.copies, ...result.touches]) {
    const lease = table.leases.get(id);
    if (lease?.dispatchId !== result.dispatchId) continue;
    const row = table.rows.get(id);
    const settled = !row || table.outcomes.get(id)?.xid === row.xid;
    if (settled) table.leases.delete(id);
    else Object.assign(lease, { stage: 'queued', attempts: 0, expiresAtMs: database.clock.now() });
  }
  return report;
}
