import type { ModelDefinition } from '../core/model/space.ts';
import type { KeySource } from '../ports/embedding-provider.ts';

/** What a model's definition does not hold: keys, and where this process runs. */
export interface ProviderAccess {
  /** Undefined: no key is sent. May throw a `UsageError` where the model cannot do without. */
  readonly keyOf: (model: ModelDefinition) => KeySource | undefined;
  /** For models of provider `openai` that name no `baseUrl` of their own; undefined: OpenAI's. */
  readonly openAiBaseUrl?: string | undefined;
  /** Of SageMaker endpoints; undefined: what the AWS SDK finds. */
  readonly region?: string | undefined;
}
