import type { ModelDefinition } from '../../core/model/space.ts';
import type { EmbeddingProvider, KeySource } from '../../ports/embedding-provider.ts';
import type { Logger } from '../../ports/logger.ts';

export interface MigratePorts {
  /** The models that the sources name. */
  readonly models: readonly ModelDefinition[];
  /** The key source of a model; undefined: the model has no secret. */
  readonly keyOf: (modelAlias: string) => KeySource | undefined;
  /** Opens the providers, once the keys are known to be readable. */
  readonly openProviders: () => Promise<(modelAlias: string) => EmbeddingProvider>;
  readonly openDatabase: () => Promise<PreparableDatabase>;
  readonly logger: Logger;
}

export interface PreparableDatabase {
  /**
   * Brings schema, spaces and views to what this version and configuration need.
   * Nothing changes where nothing is missing.
   */
  prepare(): Promise<MigrateReport>;
  close(): Promise<void>;
}

export interface MigrateReport {
  /** Version of the schema before the migration. */
  readonly from: number;
  /** Version of the schema after the migration. */
  readonly to: number;
  readonly applied: readonly string[];
  readonly spaces: number;
}
