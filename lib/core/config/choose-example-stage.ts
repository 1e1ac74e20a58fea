import { UsageError } from '../errors/usage-error.ts';
import {
  DEFAULT_STAGE_SETTINGS,
  STAGE_NAME,
  STAGE_NAME_EXPECTATION,
  type StageSettings,
} from './aws-schema.ts';
import type { PipelineConfig, SourceConfig } from './pipeline-config.ts';

/** Name of the example's table, in the schema `public`. */
const TABLE = 'ai_items';

/**
 * Chooses the settings of a stage beside the example database.
 * A stage of that name in the configuration gives all but its network and its database. Without
 * such a stage the defaults hold.
 * @throws UsageError when a source names another table than the example's, or the name is no stage
 *   name
 */
export function chooseExampleStage(config: PipelineConfig, name: string): StageSettings {
  if (!STAGE_NAME.test(name)) throw new UsageError(`-c stage=${name}: expected ${STAGE_NAME_EXPECTATION}.`);
  const strange = config.sources.find(({ table }) => !isExampleTable(table));
  if (strange !== undefined)
    throw new UsageError(
      `The example database has the table public.${TABLE} and no other; source "${strange.name}" names another one.`,
      'Leave -c config out for the demo configuration, or name a stage with a database of your own.',
    );
  const stages = config.aws?.stages ?? {};
  if (!Object.hasOwn(stages, name)) return DEFAULT_STAGE_SETTINGS;
  const { vpc: _, database: __, ...settings } = stages[name]!;
  return settings;
}

function isExampleTable(table: SourceConfig['table']): boolean {
  const { schema, name } = typeof table === 'string' ? splitName(table) : table;
  return schema === 'public' && name === TABLE;
}

function splitName(table: string): { schema: string; name: string } {
  const [first = '', second] = table.split('.');
  return second === undefined ? { schema: 'public', name: first } : { schema: first, name: second };
}
