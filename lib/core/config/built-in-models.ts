import type { ModelDefinition } from '../model/space.ts';

/** Longest input that OpenAI's models accept in full, in tokens. */
const OPENAI_MAX_TOKENS = 8191;

const openAi = {
  provider: 'openai',
  revision: 'latest',
  maxTokensPerText: OPENAI_MAX_TOKENS,
  documentPrefix: '',
  queryPrefix: '',
  normalized: true,
} as const;

const small = {
  ...openAi,
  modelId: 'text-embedding-3-small',
  dimensions: 1536,
  usdPerMillionTokens: 0.02,
  sendDimensions: true,
} as const;

/** Aliases that need no entry under `models`. Prices are OpenAI's list prices of May 2026, in US dollars per million tokens. */
export const builtInModels: Readonly<Record<string, ModelDefinition>> = {
  hash: {
    alias: 'hash',
    provider: 'hash',
    modelId: 'feature-hashing',
    revision: '1',
    dimensions: 384,
    documentPrefix: '',
    queryPrefix: '',
    normalized: true,
    usdPerMillionTokens: 0,
    sendDimensions: false,
  },
  openai: { ...small, alias: 'openai' },
  'text-embedding-3-small': { ...small, alias: 'text-embedding-3-small' },
  'text-embedding-3-large': {
    ...openAi,
    alias: 'text-embedding-3-large',
    modelId: 'text-embedding-3-large',
    dimensions: 3072,
    usdPerMillionTokens: 0.13,
    sendDimensions: true,
  },
  'text-embedding-ada-002': {
    ...openAi,
    alias: 'text-embedding-ada-002',
    modelId: 'text-embedding-ada-002',
    dimensions: 1536,
    usdPerMillionTokens: 0.1,
    sendDimensions: false,
  },
  ollama: {
    alias: 'ollama',
    provider: 'openai',
    modelId: 'nomic-embed-text',
    revision: 'latest',
    dimensions: 768,
    documentPrefix: 'search_document: ',
    queryPrefix: 'search_query: ',
    normalized: true,
    usdPerMillionTokens: 0,
    baseUrl: 'http://127.0.0.1:11434/v1',
    sendDimensions: false,
  },
};
