import type { Outcome, Space } from '../../lib/core/model.ts';
import type {
  CopyEntry,
  OutcomeEntry,
  ResultObject,
  RowReading,
  TouchEntry,
  Verdict,
} from '../../lib/core/result-object.ts';
import type { OutcomeStore, WriteReport } from '../../lib/ports/outcome-store.ts';
import { decodeVectors } from './decode-vectors.ts';
import type { Synchronous } from './synchronous.ts';
import { type Micros, readNullable, readTimestamp } from './timestamps.ts';
import {
  isExcluded,
  sourceOf,
  spaceOf,
  type TwinDatabase,
  type TwinOutcome,
  type TwinRow,
  visibleRow,
} from './twin-database.ts';
import { ownLeases, releaseLeases } from './twin-leases.ts';

type Counts = { -readonly [Key in keyof WriteReport]: WriteReport[Key] };

/**
 * Opens `OutcomeStore` on the twin.
 *
 * It does what the statements of `lib/adapters/sql/writing` do; others may commit between them.
 */
export function createTwinOutcomes(twin: TwinDatabase): Synchronous<OutcomeStore> {
  return {
    writeResult: (space, result) => writeResults(twin, space, [result]),
    writeResults: (space, results) => writeResults(twin, space, results),
    expireLeases: (space, dispatchId, ids) => {
      const now = twin.now();
      for (const lease of ownLeases(twin, space, dispatchId, ids)) {
        if (lease.expiresAt > now) lease.expiresAt = now;
      }
    },
    areRecorded: callIds => callIds.every(callId => twin.ledger.has(callId)),
  };
}

/** Runs each statement over all objects that are not in the ledger yet: `write-results.ts`. */
function writeResults(twin: TwinDatabase, space: Space, results: readonly ResultObject[]): WriteReport {
  const now = twin.now();
  const report: Counts = {
    ...{ repeated: false, embedded: 0, copied: 0, touched: 0, excluded: 0, failed: 0, overtaken: 0 },
  };
  const recorded = recordCalls(twin, results);
  const fresh = results.filter(
    ({ calls }) => calls.length === 0 || calls.some(({ callId }) => recorded.has(callId)),
  );
  if (fresh.length === 0) return { ...report, repeated: true };
  const vectors = fresh.flatMap(result => decodeVectors(result.vectors, result.outcomes.length));
  const outcomes = fresh.flatMap(result => result.outcomes);
  upsertOutcomes(twin, space, outcomes, vectors, now, report);
  twin.betweenStatements();
  const copies = fresh.flatMap(result => result.copies);
  copyOutcomes(twin, space, copies, now, report);
  twin.betweenStatements();
  const touches = fresh.flatMap(result => result.touches);
  touchOutcomes(twin, space, touches, report);
  const verdicts = fresh.flatMap(result => result.verdicts);
  rememberVerdicts(twin, space, verdicts);
  for (const result of fresh) {
    twin.betweenStatements();
    releaseLeases(twin, space, result.dispatchId, idsOf(result), now);
  }
  const applied = report.embedded + report.excluded + report.failed + report.copied + report.touched;
  report.overtaken = Math.max(0, new Set(fresh.flatMap(idsOf)).size - applied);
  return report;
}

const idsOf = ({ outcomes, copies, touches }: ResultObject) =>
  [...outcomes, ...copies, ...touches].map(({ id }) => id);

/** Records the calls and returns the ids of those that were new: `record-calls.ts`. */
function recordCalls(twin: TwinDatabase, results: readonly ResultObject[]): Set<string> {
  const recorded = new Set<string>();
  for (const { calls, spaceId } of results) {
    for (const call of calls) {
      twin.grants.delete(call.callId);
      if (twin.ledger.has(call.callId)) continue;
      twin.ledger.set(call.callId, { ...call, spaceId, recordedAt: twin.now() });
      recorded.add(call.callId);
    }
  }
  return recorded;
}

/**
 * Keeps of several entries for one row the one with the latest stamp.
 *
 * Of equal stamps the first is kept, like `DISTINCT ON … ORDER BY key, read_at DESC`.
 */
function latestOf<Entry extends RowReading>(entries: readonly Entry[]): Map<string, Entry> {
  const latest = new Map<string, Entry>();
  for (const entry of entries) {
    const other = latest.get(entry.id);
    if (!other || readTimestamp(entry.readAt) > readTimestamp(other.readAt)) latest.set(entry.id, entry);
  }
  return latest;
}

function store(twin: TwinDatabase, space: Space, after: TwinOutcome): boolean {
  const table = spaceOf(twin, space);
  const before = table.outcomes.get(after.id);
  if (before && before.readAt > after.readAt) return false;
  table.outcomes.set(after.id, after);
  twin.observer?.outcomeWritten(table, before, after);
  return true;
}

function upsertOutcomes(
  twin: TwinDatabase,
  space: Space,
  entries: readonly OutcomeEntry[],
  vectors: readonly (Buffer | null)[],
  now: Micros,
  report: Counts,
): void {
  const source = sourceOf(twin, space);
  for (const [id, entry] of latestOf(entries)) {
    const row = visibleRow(source, id);
    if (!row) continue;
    const isEmbedded = entry.outcome === 'embedded';
    const written = store(twin, space, {
      ...readingOf(entry),
      outcome: entry.outcome,
      contentHash: entry.contentHash,
      textLength: entry.textLength,
      keptLength: entry.keptLength,
      tokens: entry.tokens,
      vector: vectors[entries.indexOf(entry)] ?? null,
      embeddedAt: isEmbedded ? now : null,
      missingSince: null,
      ...wordsOf(space, row, entry, entry.outcome),
    });
    if (!written) continue;
    if (isEmbedded) report.embedded += 1;
    else if (isExcluded(entry.outcome)) report.excluded += 1;
    else report.failed += 1;
  }
}

function copyOutcomes(
  twin: TwinDatabase,
  space: Space,
  copies: readonly CopyEntry[],
  now: Micros,
  report: Counts,
): void {
  if (copies.length === 0) return;
  const source = sourceOf(twin, space);
  const holders = new Map<string | null, TwinOutcome>();
  for (const holder of spaceOf(twin, space).outcomes.values()) {
    if (holder.outcome === 'embedded') holders.set(holder.contentHash, { ...holder });
  }
  for (const [id, entry] of latestOf(copies.filter(({ contentHash }) => holders.has(contentHash)))) {
    const holder = holders.get(entry.contentHash);
    const row = visibleRow(source, id);
    if (!holder || !row) continue;
    const written = store(twin, space, {
      ...readingOf(entry),
      outcome: 'embedded',
      contentHash: entry.contentHash,
      textLength: entry.textLength,
      keptLength: entry.keptLength,
      tokens: holder.tokens,
      vector: holder.vector,
      embeddedAt: now,
      missingSince: null,
      ...wordsOf(space, row, entry, 'embedded'),
    });
    if (written) report.copied += 1;
  }
}

function touchOutcomes(
  twin: TwinDatabase,
  space: Space,
  touches: readonly TouchEntry[],
  report: Counts,
): void {
  const source = sourceOf(twin, space);
  const { outcomes } = spaceOf(twin, space);
  for (const [id, entry] of latestOf(touches)) {
    const stored = outcomes.get(id);
    const row = visibleRow(source, id);
    if (!stored || !row || stored.contentHash !== entry.contentHash) continue;
    const words = wordsOf(space, row, entry, stored.outcome);
    if (store(twin, space, { ...stored, ...readingOf(entry), ...words, missingSince: null }))
      report.touched += 1;
  }
}

function rememberVerdicts(twin: TwinDatabase, space: Space, verdicts: readonly Verdict[]): void {
  const table = spaceOf(twin, space);
  const { failures } = table;
  const first = new Map(verdicts.toReversed().map(verdict => [verdict.contentHash, verdict]));
  for (const { contentHash, failureClass, code } of first.values()) {
    const attempts = (failures.get(contentHash)?.attempts ?? 0) + 1;
    failures.set(contentHash, { failureClass, code, attempts });
    twin.observer?.verdictRemembered(table, contentHash);
  }
}

/** Words are those of the row as it is now, where it still is the version that was read. */
function wordsOf(
  { source }: Space,
  row: TwinRow,
  entry: RowReading,
  outcome: Outcome,
): Pick<TwinOutcome, 'wordsOf'> {
  if (source.keywordLanguage === undefined) return {};
  const isRead = outcome === 'embedded' && row.xid === Number(entry.xid);
  return { wordsOf: isRead ? (row.text ?? '') : null };
}

function readingOf(entry: RowReading): Pick<TwinOutcome, 'id' | 'version' | 'xid' | 'readAt'> {
  return {
    id: entry.id,
    version: readNullable(entry.version),
    xid: Number(entry.xid),
    readAt: readTimestamp(entry.readAt),
  };
}
