import type { ModelDefinition } from '../core/model/space.ts';
import type { ProviderName } from '../core/providers.ts';
import type { KeySource } from '../ports/embedding-provider.ts';

/** What the definition of a model does not hold: keys, and where this process runs. */
export interface ProviderAccess {
  /**
   * Undefined: no key is sent.
   *
   * @throws UsageError where the model cannot do without a key
   */
  readonly keyOf: (model: ModelDefinition) => KeySource | undefined;
  /** Addresses for models that name no `baseUrl`; undefined: those of the table of providers. */
  readonly baseUrls?: Readonly<Partial<Record<ProviderName, string>>>;
  /** Region of SageMaker endpoints; undefined: what the AWS SDK finds. */
  readonly region?: string | undefined;
}
