import { sql, type Transaction } from 'kysely';
import { formatPath } from '../../../core/config/describe-issues.ts';
import { UsageError } from '../../../core/errors/usage-error.ts';
import type { FreshetTables } from '../freshet-tables.ts';
import type { SpaceBinding } from './space-binding.ts';

/**
 * Rejects other dimensions than those of the vectors stored for the same model revision.
 * One revision of a model has one length of vectors. Other dimensions under the same alias and
 * revision are a slip, and would put an empty space in the place of a full one. A space that holds
 * no vector yet may be left behind.
 * @throws UsageError with both numbers of dimensions.
 */
export async function requireSameDimensions(
  transaction: Transaction<FreshetTables>,
  { source, model }: SpaceBinding,
): Promise<void> {
  const former = await transaction
    .selectFrom('freshet.spaces')
    .select(['space_id', 'dimensions'])
    .where('source_name', '=', source.name)
    .where('model_alias', '=', model.alias)
    .where('provider', '=', model.provider)
    .where('model_id', '=', model.modelId)
    .where('revision', '=', model.revision)
    .where('status', '<>', 'retired')
    .where('dimensions', '<>', model.dimensions)
    .executeTakeFirst();
  if (former === undefined) return;
  const { rows } = await sql`SELECT FROM ${sql.id('freshet', `vectors_${former.space_id}`)}
    WHERE embedding IS NOT NULL LIMIT 1`.execute(transaction);
  if (rows.length === 0) return;
  throw new UsageError(
    `Source "${source.name}": the stored vectors of model "${model.alias}" have ${former.dimensions} dimensions, the configuration says ${model.dimensions}.`,
    `Set ${formatPath(['models', model.alias, 'dimensions'])} to ${former.dimensions}. To embed everything anew with ${model.dimensions}, give the model another alias or another revision.`,
  );
}
