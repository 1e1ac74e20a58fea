import type { PipelineConfig, SourceConfig } from '../../lib/core/config/pipeline-config.ts';
import type { ModelDefinition } from '../../lib/core/model.ts';

export function buildModel(changes: Partial<ModelDefinition> = {}): ModelDefinition {
  return {
    alias: 'small',
    provider: 'hash',
    modelId: 'hash-1',
    revision: '1',
    dimensions: 3,
    documentPrefix: '',
    queryPrefix: '',
    normalized: true,
    usdPerMillionTokens: 0,
    sendDimensions: false,
    ...changes,
  };
}

export function buildSourceConfig(changes: Partial<SourceConfig> = {}): SourceConfig {
  return {
    name: 'ai_items',
    table: 'ai_items',
    updatedAt: 'updated_at',
    text: { columns: ['title', 'summary', 'tags'] },
    models: ['small'],
    overLimit: 'truncate',
    ...changes,
  };
}

export function buildConfig(
  sources: readonly SourceConfig[] = [buildSourceConfig()],
  models: readonly ModelDefinition[] = [buildModel()],
): PipelineConfig {
  return {
    database: { embeddedDirectory: '.freshet/database', viewSchema: 'embeddings' },
    models: Object.fromEntries(models.map(model => [model.alias, model])),
    sources,
    limits: {
      batchSize: 100,
      concurrency: 2,
      maxInFlight: 1000,
      timeoutSeconds: 30,
      pauseMs: 0,
      sliceRows: 1000,
    },
  };
}
