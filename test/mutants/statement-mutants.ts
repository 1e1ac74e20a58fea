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
        'JOIN ${source} AS s ON ${key} = u.id\n               ORDER BY',
        'CROSS JOIN LATERAL (SELECT u.id) AS s (id)\n               ORDER BY',
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
    changes: [['coalesce(v.source_xid = s.xmin', 'coalesce(true']],
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
    name: 'grant-while-paused',
    removes: 'refusing a grant while paused',
    file: 'lib/adapters/sql/grants.ts',
    changes: [['WHERE NOT EXISTS (SELECT FROM pause)', 'WHERE true']],
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
    file: 'lib/adapters/sql/lease-stale-rows.ts',
    changes: [
      [
        'AND (v.item_id IS NULL OR v.source_version IS DISTINCT FROM ${version})\n',
        'AND (v.item_id IS NULL OR v.source_version < ${version})\n',
      ],
    ],
  },
  {
    name: 'watermark-excluded',
    removes: 'scanning from the watermark itself',
    file: 'lib/adapters/sql/lease-stale-rows.ts',
    changes: [['WHERE ${version} >= ${request.watermark}', 'WHERE ${version} > ${request.watermark}']],
  },
  {
    name: 'unsent-unsaid',
    removes: 'saying where the limit cut the scan off',
    file: 'lib/adapters/sql/lease-stale-rows.ts',
    changes: [['(SELECT min(d.version)', '(SELECT min(d.version) FILTER (WHERE false)']],
  },
  {
    name: 'expired-leases-settled',
    removes: 'looking at `xmin` before an expired lease is dropped',
    file: 'lib/adapters/sql/lease-stale-rows.ts',
    changes: [
      ['${isStale} AS stale', '(v.item_id IS NULL OR v.source_version IS DISTINCT FROM ${version}) AS stale'],
    ],
  },
  {
    name: 'reconcile-without-row-version',
    removes: 'comparing `xmin` in the reconcile pass',
    file: 'lib/adapters/sql/lease-stale-rows.ts',
    changes: [
      ['WHERE ${isStale}', 'WHERE (v.item_id IS NULL OR v.source_version IS DISTINCT FROM ${version})'],
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
];

export const STATEMENT_MUTANTS: readonly Mutant[] = MUTANTS.map(mutant => ({ ...mutant, dies: 'postgres' }));
