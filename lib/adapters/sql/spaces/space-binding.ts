import { aliasesOf, type PipelineConfig, type SourceConfig } from '../../../core/config/pipeline-config.ts';
import { UsageError } from '../../../core/errors/usage-error.ts';
import type { ModelDefinition, ResolvedSource } from '../../../core/model/space.ts';
import { describeRecipe } from '../../../core/text/describe-recipe.ts';
import { fingerprintSpace } from '../../../core/text/fingerprint-space.ts';

/** What configuration and database say of a space before its row is looked up. */
export interface SpaceBinding {
  readonly source: ResolvedSource;
  readonly model: ModelDefinition;
  readonly recipe: string;
  readonly fingerprint: string;
  readonly fallbackFor?: readonly string[] | undefined;
}

/**
 * Makes one binding per model of the source: the first model's first, the fallback's last.
 * @throws UsageError where the configuration does not define a model.
 */
export function toSpaceBindings(
  config: PipelineConfig,
  sourceConfig: SourceConfig,
  source: ResolvedSource,
): readonly SpaceBinding[] {
  const recipe = describeRecipe(source);
  return aliasesOf(sourceConfig).map(alias => {
    const model = config.models[alias];
    if (model === undefined) {
      throw new UsageError(
        `Source "${source.name}" names model "${alias}", which the configuration does not define.`,
      );
    }
    return {
      source,
      model,
      recipe,
      fingerprint: fingerprintSpace({ sourceName: source.name, model, recipe }),
      ...(alias === sourceConfig.fallback && { fallbackFor: sourceConfig.models }),
    };
  });
}
