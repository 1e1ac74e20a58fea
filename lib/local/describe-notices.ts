import { FRESHET } from '../core/own-command.ts';
import type { NoticedRows } from './run-ports.ts';

/** Describes what a person should look at after a run, whatever ended it. */
export function describeNotices({ skipped, orphansKept, limitedModels }: NoticedRun): string[] {
  return [
    ...describeSkipped(skipped),
    ...describeKeptOrphans(orphansKept),
    ...describeLimited(limitedModels),
  ];
}

interface NoticedRun extends NoticedRows {
  /** Texts per call of the models whose servers tell no more apart. */
  readonly limitedModels: ReadonlyMap<string, number>;
}

/** Describes rows that no statement can look at, a line for each source and SQLSTATE. */
function describeSkipped(skipped: NoticedRows['skipped']): string[] {
  const kinds = Map.groupBy(skipped, ({ source, code }) => `Source "${source}": ${code}`);
  return [...kinds].map(([kind, rows]) => {
    const ids = rows.slice(0, MAX_NAMED_ROWS).map(({ id }) => id);
    const keys = `${ids.join(', ')}${rows.length > ids.length ? ', …' : ''}`;
    const count = rows.length === 1 ? 'a row' : `${rows.length} rows`;
    return `${kind} at every look at ${count}, and the others go on. To see why, SELECT by the key: ${keys}`;
  });
}

const MAX_NAMED_ROWS = 5;

/** Describes sources with vectors of no row, which a person should look at. */
function describeKeptOrphans(orphansKept: NoticedRows['orphansKept']): string[] {
  return orphansKept.map(
    ({ source, cause }) => `Source "${source}": ${KEPT_BECAUSE[cause]}: ${FRESHET} doctor`,
  );
}

/** Describes models whose calls had to be made smaller, because of the shape of replies. */
function describeLimited(limitedModels: NoticedRun['limitedModels']): string[] {
  return [...limitedModels].map(([alias, texts]) => {
    const size = texts === 1 ? 'one text' : `${texts} texts`;
    return (
      `Model "${alias}": its server does not tell apart the vectors of a call of more than ${size}, ` +
      'so that calls were made smaller. To spare the calls that show it: ' +
      `models.${alias}.limits.maxTextsPerCall: ${texts}`
    );
  });
}

const KEPT_BECAUSE = {
  'row-security':
    'vectors whose rows this role does not see are kept, because row-level security may hide them',
  'too-many':
    'too many rows are gone at once, or all of them; their vectors are kept until somebody confirms it',
  unreadable: 'looking for vectors of no row fails for some of its rows; all are kept',
  unconfirmed: 'rows are gone; the source is no table, so their vectors are kept until somebody confirms it',
} as const;
