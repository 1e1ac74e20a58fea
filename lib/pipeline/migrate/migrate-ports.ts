import type { ModelDefinition } from '../../core/model/space.ts';
import type { EmbeddingProvider, KeySource } from '../../ports/embedding-provider.ts';
import type { Logger } from '../../ports/logger.ts';

export interface MigratePorts {
  /** Those that the sources name. */
  readonly models: readonly ModelDefinition[];
  /** Undefined: the model has no secret. */
  readonly keyOf: (modelAlias: string) => KeySource | undefined;
  /** Asked once the keys are known to be readable. */
  readonly openProviders: () => Promise<(modelAlias: string) => EmbeddingProvider>;
  readonly openDatabase: () => Promise<PreparableDatabase>;
  readonly logger: Logger;
}

export interface PreparableDatabase {
  /** Schema, spaces and views as this version and configuration need them; changes nothing where nothing is missing. */
  prepare(): Promise<MigrateReport>;
  close(): Promise<void>;
}

export interface MigrateReport {
  readonly from: number;
  readonly to: number;
  readonly applied: readonly string[];
  readonly spaces: number;
}
