import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { Space } from '../../core/model.ts';
import type { ResultObject } from '../../core/result-object.ts';
import { arrayLiteral } from './fragments.ts';
import type { FreshetTables } from './freshet-tables.ts';
import { quoteSpace } from './quote-space.ts';

/**
 * Renders what of call `l` of the ledger was necessary: the price of one purchase of each distinct
 * text version that was stored. A call that brought nothing, and one for no row, was not.
 */
export const necessaryUsd = sql<number>`coalesce(l.necessary_usd,
  CASE WHEN l.outcome = 'ok' AND l.items > 0 THEN l.cost_usd ELSE 0 END)`;

/**
 * Enters that not all of what these objects bought was stored, in the transaction that wrote them.
 * The vectors of this transaction are known by its time. A text that two objects of the transaction
 * brought was necessary once. The calls share what was: an object does not say which of its calls
 * brought which text.
 */
export async function noteUnstored(
  db: Kysely<FreshetTables>,
  space: Space,
  results: readonly ResultObject[],
): Promise<void> {
  const bought = results
    .flatMap(({ outcomes }) => [
      ...new Set(outcomes.flatMap(({ outcome, contentHash }) => (outcome === 'embedded' ? contentHash : []))),
    ])
    .filter(hash => hash !== null);
  if (bought.length === 0) return;
  const callIds = results.flatMap(({ calls }) => calls.map(({ callId }) => callId));
  await sql`UPDATE freshet.ledger AS l
       SET necessary_usd = ${necessaryUsd} * ${countStored(space, bought)} / ${bought.length}::float8
     WHERE l.call_id = ANY (${arrayLiteral(callIds)}::uuid[])`.execute(db);
}

/** Renders how many of these hashes (hexadecimal) have a vector that this transaction wrote. */
function countStored(space: Space, hashes: readonly string[]): RawBuilder<number> {
  return sql<number>`(
    SELECT count(DISTINCT v.content_hash)::float8 FROM ${quoteSpace(space).vectors} AS v
     WHERE v.content_hash IN (SELECT decode(u.hash, 'hex')
                                FROM unnest(${arrayLiteral([...new Set(hashes)])}::text[]) AS u (hash))
       AND v.embedded_at = now())`;
}
