import { UsageError } from '../errors/usage-error.ts';
import {
  DEFAULT_STAGE_SETTINGS,
  STAGE_NAME,
  STAGE_NAME_EXPECTATION,
  type StageSettings,
} from './aws-schema.ts';
import type { PipelineConfig, SourceConfig } from './pipeline-config.ts';

/** What the example's table is called. */
const TABLE = 'ai_items';

/**
 * A stage beside the example database: where the configuration has one of that name, all of it but its network and its database; else the
 * defaults.
 * @throws UsageError when a source is not the example's table, or no stage can have the name
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
