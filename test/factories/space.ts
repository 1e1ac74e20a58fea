import type { ModelDefinition, ResolvedSource, Space } from '../../lib/core/model.ts';
import { DIMENSIONS } from '../doubles/scripted-provider.ts';

export function makeModel(changes: Partial<ModelDefinition> = {}): ModelDefinition {
  return {
    alias: 'small',
    provider: 'openai',
    modelId: 'text-embedding-3-small',
    revision: 'latest',
    dimensions: DIMENSIONS,
    documentPrefix: '',
    queryPrefix: '',
    normalized: true,
    usdPerMillionTokens: 1_000,
    sendDimensions: false,
    ...changes,
  };
}

export function makeSource(changes: Partial<ResolvedSource> = {}): ResolvedSource {
  return {
    name: 'items',
    schema: 'public',
    table: 'items',
    tableOid: 1,
    keyColumns: [{ name: 'id', type: 'bigint' }],
    versionColumn: 'updated_at',
    versionType: 'timestamp with time zone',
    versionTimeZone: 'UTC',
    textColumns: [{ name: 'title', isArray: false }],
    overLimit: 'truncate',
    ...changes,
  };
}

export function makeSpace(
  changes: {
    spaceId?: number;
    model?: Partial<ModelDefinition>;
    source?: Partial<ResolvedSource>;
    status?: Space['status'];
  } = {},
): Space {
  const spaceId = changes.spaceId ?? 1;
  return {
    spaceId,
    source: makeSource(changes.source),
    model: makeModel(changes.model),
    status: changes.status ?? 'active',
    vectorTable: `vectors_${spaceId}`,
  };
}
