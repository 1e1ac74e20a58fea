import { UsageError } from '../errors/usage-error.ts';
import type { AwsStage } from './aws-schema.ts';
import { nearestWord } from './nearest-word.ts';
import type { PipelineConfig } from './pipeline-config.ts';

/**
 * Finds a stage of the configuration by its name.
 * @throws UsageError when the configuration has no such stage; the error names the nearest one, or
 *   how to add the first
 */
export function chooseStage(config: PipelineConfig, name: string): AwsStage {
  const stages = config.aws?.stages ?? {};
  if (Object.hasOwn(stages, name)) return stages[name]!;
  const known = Object.keys(stages);
  if (known.length === 0)
    throw new UsageError(
      `The configuration has no stage "${name}": it has no section aws.`,
      'Add aws: { stages: { dev: { vpc, database } } }; docs/deployment.md lists the keys.',
    );
  const nearest = nearestWord(name, known);
  const suggestion = nearest === undefined ? '' : ` Did you mean -c stage=${nearest}?`;
  throw new UsageError(
    `"${name}" is no stage of the configuration (known: ${known.join(', ')}).${suggestion}`,
  );
}
