// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the patches quote templates of the source.
import type { Mutant } from './mutant.ts';

const MUTANTS: readonly Omit<Mutant, 'dies'>[] = [
  {
    name: 'upsert-unguarded',
    removes: 'the stamp’s guard of the upsert',
    file: 'lib/adapters/sql/outcomes.ts',
    changes: [
      ['WHERE t.read_at <= excluded.read_at\n      RETURNING outcome', 'WHERE true\n      RETURNING outcome'],
    ],
  },
  {
    name: 'upsert-of-deleted-rows',
    removes: 'the join that lets a deleted row write nothing',
    file: 'lib/adapters/sql/outcomes.ts',
    changes: [
      [
        "JOIN ${source} AS s ON ${areEqual(keys.source, keys.given('u'))}\n               ORDER BY",
        "CROSS JOIN LATERAL (SELECT ${listKey(keys.given('u'))}) AS s (${sql.join(space.source.keyColumns.map(({ name }) => sql.id(name)))})\n               ORDER BY",
      ],
    ],
  },
  {
    name: 'copy-unguarded',
    removes: 'the stamp’s guard of the copy',
    file: 'lib/adapters/sql/outcomes.ts',
    changes: [['WHERE t.read_at <= excluded.read_at\n      RETURNING 1', 'WHERE true\n      RETURNING 1']],
  },
  {
    name: 'copy-by-any-hash',
    removes: 'copying by the hash',
    file: 'lib/adapters/sql/outcomes.ts',
    changes: [
      [
        'WHERE v.content_hash >= ${hash} AND v.content_hash <= ${hash} AND',
        'WHERE v.content_hash >= ${hash} AND',
      ],
    ],
  },
  {
    name: 'touch-without-hash',
    removes: 'touching by the hash that was compared',
    file: 'lib/adapters/sql/outcomes.ts',
    changes: [
      ['t.content_hash = latest.content_hash AND t.read_at', 't.read_at'],
      ['t.content_hash = locked.content_hash AND t.read_at', 't.read_at'],
    ],
  },
  {
    name: 'touch-unguarded',
    removes: 'the stamp’s guard of the touch',
    file: 'lib/adapters/sql/outcomes.ts',
    changes: [
      [' AND t.read_at <= latest.read_at', ''],
      [' AND t.read_at <= locked.read_at', ''],
    ],
  },
  {
    name: 'release-by-version-alone',
    removes: 'comparing `xmin` before a lease is deleted',
    file: 'lib/adapters/sql/lease-stages.ts',
    changes: [[' AND NOT ${isOtherRowVersion}) OR', ') OR']],
  },
  {
    name: 'release-counts-attempts',
    removes: 'forgetting the attempts of a row that was overtaken',
    file: 'lib/adapters/sql/lease-stages.ts',
    changes: [["SET stage = 'queued', attempts = 0, expires_at", "SET stage = 'queued', expires_at"]],
  },
  {
    name: 'stamp-follows-clock',
    removes: 'a stamp above the stored one after the clock stepped back',
    file: 'lib/adapters/sql/embedding-store.ts',
    changes: [["greatest(now(), v.read_at + interval '1 microsecond')", 'now()']],
  },
  {
    name: 'settles-calls-of-living-runs',
    removes: 'settling the calls of a run only once its lock is free',
    file: 'lib/adapters/sql/grants.ts',
    changes: [['(g.run_id IS NOT NULL AND g.run_id NOT IN (${renderLiveRuns()}))', '(g.run_id IS NOT NULL)']],
  },
  {
    name: 'waiting-rows-count-as-dead',
    removes: 'sparing the rows that only waited in the message of a dead run',
    file: 'lib/adapters/sql/grants.ts',
    changes: [["SET stage = 'queued' FROM waiting AS w", "SET stage = 'embedding' FROM waiting AS w"]],
  },
  {
    name: 'lost-although-announced',
    removes: 'waiting for a result that is on its way',
    file: 'lib/adapters/sql/grants.ts',
    changes: [["AND l.stage = 'announced' AND l.expires_at > now())", "AND l.stage = 'sending')"]],
  },
  {
    name: 'one-turn-too-many',
    removes: 'the last of the turns that a server answers in time',
    file: 'lib/adapters/sql/pace-store.ts',
    changes: [['< p.calls_at_once', '<= p.calls_at_once']],
  },
  {
    name: 'dead-turns-last',
    removes: 'freeing the turn of a process that died',
    file: 'lib/adapters/sql/pace-store.ts',
    changes: [['WHERE t.value::numeric > extract(epoch FROM now())', 'WHERE t.value::numeric > 0']],
  },
  {
    name: 'turns-of-dead-runs-last',
    removes: 'freeing the turn of a run that died',
    file: 'lib/adapters/sql/pace-store.ts',
    changes: [
      ["split_part(t.key, '/', 1)::int IN (${renderLiveRuns()})", "split_part(t.key, '/', 1)::int > 0"],
    ],
  },
  {
    name: 'grant-while-paused',
    removes: 'refusing a grant while paused',
    file: 'lib/adapters/sql/grants.ts',
    changes: [['WHERE NOT EXISTS (SELECT FROM pause) AND', 'WHERE']],
  },
  {
    name: 'confirmation-pauses',
    removes: 'telling a confirmation from a pause',
    file: 'lib/adapters/sql/grants.ts',
    changes: [[' AND reason <> ${ORPHANS_CONFIRMED}::text', '']],
  },
  {
    name: 'announced-rows-postponed',
    removes: 'leaving announced rows to the writer',
    file: 'lib/adapters/sql/lease-stages.ts',
    changes: [["\n      AND l.stage <> 'announced'", '']],
  },
  {
    name: 'abandons-rows-in-work',
    removes: 'abandoning only what was not sent',
    file: 'lib/adapters/sql/lease-stages.ts',
    changes: [['\n      AND l.stage = ${stage}::text', '']],
  },
  {
    name: 'takes-over-rows-in-work',
    removes: 'taking over only what still waits in the bulk queue',
    file: 'lib/adapters/sql/leases.ts',
    changes: [[" AND ${lease('stage')} = 'queued'", '']],
  },
  {
    name: 'lent-rows-stay-held',
    removes: 'leaving the rows of a call that waits for the rate to looks for edits',
    file: 'lib/pipeline/embed/lend-rows.ts',
    changes: [['  await embedding.postponeLeases(space, dispatchId, lent, seconds);\n', '  void seconds;\n']],
  },
  {
    name: 'lent-for-no-longer-than-the-wait',
    removes: 'the margin by which the lease of a lent row outlives the wait for the rate',
    file: 'lib/pipeline/embed/lend-rows.ts',
    changes: [['Math.ceil(remainingMs() / 1000) + LEASE_MARGIN_SECONDS', 'Math.ceil(remainingMs() / 1000)']],
  },
  {
    name: 'taken-back-from-whoever-took-over',
    removes: 'taking rows back only where the lease is still the dispatch’s own',
    file: 'lib/adapters/sql/lease-stages.ts',
    changes: [
      ['AND l.dispatch_id = ${dispatchId}::uuid${among}`;', 'AND ${dispatchId}::uuid IS NOT NULL${among}`;'],
    ],
  },
  {
    name: 'attempts-not-counted',
    removes: 'counting a begun and unfinished embedding',
    file: 'lib/adapters/sql/leases.ts',
    changes: [
      [
        "AND t.stage IN ('embedding', 'announced') THEN 1",
        "AND t.stage IN ('embedding', 'announced') THEN 0",
      ],
    ],
  },
  {
    name: 'version-taken-for-order',
    removes: 'comparing versions for being different, not for being older',
    file: 'lib/adapters/sql/lease-changed-rows.ts',
    changes: [
      ['AND v.source_version IS DISTINCT FROM ${version} AND', 'AND v.source_version < ${version} AND'],
    ],
  },
  {
    name: 'watermark-excluded',
    removes: 'scanning from the watermark itself',
    file: 'lib/adapters/sql/lease-changed-rows.ts',
    changes: [['sql`${version} >= ${watermark}', 'sql`${version} > ${watermark}']],
  },
  {
    name: 'unsent-unsaid',
    removes: 'saying where the limit cut the scan off',
    file: 'lib/adapters/sql/lease-changed-rows.ts',
    changes: [['WHERE d.in_scan AND', 'WHERE false AND d.in_scan AND']],
  },
  {
    name: 'cursor-by-version-alone',
    removes: 'going on with the key among rows of one version',
    file: 'lib/adapters/sql/lease-changed-rows.ts',
    changes: [
      [
        '(${version}, ${listKey(keys.source)})\n            >= (${from.version}::${versionType}, ${listKey(keys.ofId(from.id))})',
        '${version} > ${from.version}::${versionType}',
      ],
    ],
  },
  {
    name: 'waiting-starts-anew',
    removes: 'keeping the time since which rows wait',
    file: 'lib/adapters/sql/detection-store.ts',
    changes: [['coalesce(p.unsent_since, now()) END', 'now() END']],
  },
  {
    name: 'age-forgets-waiting',
    removes: 'the time that an edit waited before its lease',
    file: 'lib/adapters/sql/leases.ts',
    changes: [['sql`least(now(), (SELECT p.unsent_since', 'sql`least(now(), (SELECT now()']],
  },
  {
    name: 'horizon-with-ticks',
    removes: 'leaving sessions that hold a tick’s lock out of the horizon',
    file: 'lib/adapters/sql/open-transactions.ts',
    changes: [['AND k.granted AND k.classid', 'AND NOT k.granted AND k.classid']],
  },
  {
    name: 'horizon-without-lock-holders',
    removes: 'telling a tick’s lock from the application’s own',
    file: 'lib/adapters/sql/open-transactions.ts',
    changes: [[' AND k.classid::int8 = ${sql.lit(TICK_LOCK_CLASS)}', '']],
  },
  {
    name: 'expired-leases-settled',
    removes: 'looking at `xmin` before an expired lease is dropped',
    file: 'lib/adapters/sql/lease-changed-rows.ts',
    changes: [
      ['${isStale} AS stale', '(v.item_id IS NULL OR v.source_version IS DISTINCT FROM ${version}) AS stale'],
    ],
  },
  {
    name: 'reconcile-without-row-version',
    removes: 'comparing `xmin` in the reconcile pass',
    file: 'lib/adapters/sql/lease-stale-rows.ts',
    changes: [
      ['WHERE (${isStale} OR', 'WHERE (v.item_id IS NULL OR v.source_version IS DISTINCT FROM ${version} OR'],
    ],
  },
  {
    name: 'horizon-without-transactions',
    removes: 'the oldest open transaction from the horizon',
    file: 'lib/adapters/sql/detection-store.ts',
    changes: [['least(now(), min(a.xact_start))', 'least(now(), max(now()))']],
  },
  {
    name: 'horizon-without-margin',
    removes: 'the horizon’s margin',
    file: 'lib/adapters/sql/detection-store.ts',
    changes: [['ELSE ${marginSeconds}::float8 END', 'ELSE 0 * ${marginSeconds}::float8 END']],
  },
  {
    name: 'watermark-never-back',
    removes: 'assigning the watermark, also backwards',
    file: 'lib/adapters/sql/detection-store.ts',
    changes: [
      [
        'SET watermark = excluded.watermark',
        'SET watermark = greatest(positions.watermark, excluded.watermark)',
      ],
    ],
  },
  {
    name: 'orphans-at-once',
    removes: 'the hour before an orphan is deleted',
    file: 'lib/adapters/sql/orphans.ts',
    changes: [
      ["o.missing_since <= now() - interval '1 hour'", "o.missing_since <= now() - interval '1 second'"],
    ],
  },
  {
    name: 'orphans-within-a-pass',
    removes: 'the pass that must have begun after an orphan was marked',
    file: 'lib/adapters/sql/orphans.ts',
    changes: [
      [
        'AND o.missing_since < (SELECT last_pass_started_at',
        'AND o.missing_since > (SELECT last_pass_started_at',
      ],
    ],
  },
  {
    name: 'emptied-table-removed',
    removes: 'stopping where a table has no row left',
    file: 'lib/adapters/sql/orphans.ts',
    changes: [["          WHEN NOT EXISTS (SELECT FROM ${source} AS s) THEN 'too-many'\n", '']],
  },
  {
    name: 'pass-begins-when-it-ends',
    removes: 'dating a pass from the end of the one before it',
    file: 'lib/adapters/sql/detection-store.ts',
    changes: [
      [
        'THEN p.pass_started_at ELSE p.last_pass_started_at END',
        'THEN now() ELSE p.last_pass_started_at END',
      ],
    ],
  },
  {
    name: 'key-by-first-part',
    removes: 'comparing every part of a key',
    file: 'lib/adapters/sql/key-columns.ts',
    changes: [['left.map((part, place) =>', 'left.slice(0, 1).map((part, place) =>']],
  },
  {
    name: 'range-by-first-part',
    removes: 'comparing every part of a key with the ends of a range',
    file: 'lib/adapters/sql/key-columns.ts',
    changes: [
      [
        'const asRow = (key: KeyExpression) => (isComposite ? sql`(${sql.join(key)})` : sql`${key[0]}`);',
        'const asRow = (key: KeyExpression) => sql`${key[0]}`;',
      ],
    ],
  },
  {
    name: 'key-in-session-zone',
    removes: 'rendering the times of a key in UTC by the statement',
    file: 'lib/adapters/sql/key-columns.ts',
    changes: [["(to_json(${column} AT TIME ZONE ${zone}) #>> '{}')", "(to_json(${column}) #>> '{}')"]],
  },
  {
    name: 'retry-keeps-verdicts',
    removes: 'forgetting verdicts when failures are tried again',
    file: 'lib/adapters/sql/report-store.ts',
    changes: [
      [
        'WHERE f.space_id = ${space.spaceId} AND f.content_hash',
        'WHERE f.space_id <> ${space.spaceId} AND f.content_hash',
      ],
    ],
  },
  {
    name: 'recorded-by-any-call',
    removes: 'asking the ledger for all calls of an object that is gone',
    file: 'lib/adapters/sql/outcome-store.ts',
    changes: [['recorded === new Set(callIds).size', 'recorded !== 0']],
  },
  {
    name: 'words-of-any-version',
    removes: 'keeping the words of the row version that was read, and of no other',
    file: 'lib/adapters/sql/keywords.ts',
    changes: [
      ['CASE WHEN ${rowVersion} IS NOT DISTINCT FROM ${xid} THEN', 'CASE WHEN ${xid} IS NOT NULL THEN'],
    ],
  },
  {
    name: 'words-not-copied',
    removes: 'setting the words of a row that gets the vector of an equal text',
    file: 'lib/adapters/sql/outcomes.ts',
    changes: [['sql`, ${keywords.made}, u.read_at`', 'sql`, NULL::tsvector, u.read_at`']],
  },
  {
    name: 'doubled-key-never-looked-at',
    removes: 'looking again at a key that stood twice',
    file: 'lib/adapters/sql/lease-stale-rows.ts',
    changes: [[' OR (${isDoubled} AND (${listKey(stored)}) NOT IN (${renderDoubledKeys(space)}))', '']],
  },
];

export const STATEMENT_MUTANTS: readonly Mutant[] = MUTANTS.map(mutant => ({ ...mutant, dies: 'postgres' }));
