import type { ProviderName } from '../providers.ts';

/** Facts about weights that hold wherever they are served. What decides vectors besides is the place: provider, address, pinned revision. */
export interface KnownModel {
  /** As people write it in a configuration. */
  readonly name: string;
  /** The full name: the repository on the Hugging Face hub, or OpenAI's name. */
  readonly fullName: string;
  /** The commit of the hub's repository that is meant where nobody says another; undefined: the weights have no public revisions. */
  readonly revision?: string;
  /** In Ollama's library; undefined: not there, or not known to be these weights. */
  readonly ollamaName?: string;
  /** Where the weights are served, if there is only one such place. */
  readonly provider?: ProviderName;
  readonly dimensions: number;
  /** The shortest that the weights were trained to be cut to (Matryoshka); undefined: they cannot be cut. */
  readonly shortestDimensions?: number;
  readonly maxTokensPerText: number;
  readonly documentPrefix: string;
  readonly queryPrefix: string;
  /** False: vectors have length 1 only where the server is asked for it (TEI, Ollama and `/v1/embed` are). */
  readonly normalized: boolean;
  readonly usdPerMillionTokens: number;
}

/**
 * 8192 is in OpenAI's API description; the first model was announced with 8191, which is the safe bound. Prices are list prices of May 2026.
 * Only the third generation takes `dimensions` (API description).
 */
const openAi = {
  provider: 'openai',
  maxTokensPerText: 8191,
  documentPrefix: '',
  queryPrefix: '',
  normalized: true,
} as const;

const selfHosted = { documentPrefix: '', queryPrefix: '', normalized: true, usdPerMillionTokens: 0 } as const;

/** From the model cards: one of the two always, also where texts are compared with each other. */
const e5 = {
  ...selfHosted,
  maxTokensPerText: 512,
  documentPrefix: 'passage: ',
  queryPrefix: 'query: ',
} as const;

/**
 * Dimensions, lengths and normalisation of the sentence-transformers models: the table of pretrained models in their documentation.
 * The others: their model cards. Revisions: commits of the hub, each pinned alike by several public projects that have nothing to do with each other
 * (docs/decisions/0013-what-a-pinned-revision-means.md).
 */
export const knownModels: readonly KnownModel[] = [
  {
    ...openAi,
    ...named('text-embedding-3-small'),
    dimensions: 1536,
    shortestDimensions: 1,
    usdPerMillionTokens: 0.02,
  },
  {
    ...openAi,
    ...named('text-embedding-3-large'),
    dimensions: 3072,
    shortestDimensions: 1,
    usdPerMillionTokens: 0.13,
  },
  { ...openAi, ...named('text-embedding-ada-002'), dimensions: 1536, usdPerMillionTokens: 0.1 },
  {
    ...selfHosted,
    ...named('all-MiniLM-L6-v2', 'sentence-transformers'),
    revision: '1110a243fdf4706b3f48f1d95db1a4f5529b4d41',
    ollamaName: 'all-minilm',
    dimensions: 384,
    maxTokensPerText: 256,
  },
  // The weights' own `sentence_bert_config.json` is said to cut at 128, the documentation's table says 256: the lower one holds in both.
  {
    ...selfHosted,
    ...named('all-MiniLM-L12-v2', 'sentence-transformers'),
    revision: 'c004d8e3e901237d8fa7e9fff12774962e391ce5',
    dimensions: 384,
    maxTokensPerText: 128,
  },
  {
    ...selfHosted,
    ...named('all-mpnet-base-v2', 'sentence-transformers'),
    revision: 'e8c3b32edf5434bc2275fc9bab85f82640a19130',
    dimensions: 768,
    maxTokensPerText: 384,
  },
  {
    ...selfHosted,
    ...named('paraphrase-multilingual-MiniLM-L12-v2', 'sentence-transformers'),
    revision: 'e8f8c211226b894fcb81acc59f3b34ba3efd5f42',
    dimensions: 384,
    maxTokensPerText: 128,
    normalized: false,
  },
  {
    ...selfHosted,
    ...named('bge-m3', 'BAAI'),
    revision: '5617a9f61b028005a4858fdac845db406aefb181',
    ollamaName: 'bge-m3',
    dimensions: 1024,
    maxTokensPerText: 8192,
  },
  {
    ...e5,
    ...named('multilingual-e5-small', 'intfloat'),
    revision: '614241f622f53c4eeff9890bdc4f31cfecc418b3',
    dimensions: 384,
  },
  {
    ...e5,
    ...named('multilingual-e5-base', 'intfloat'),
    revision: 'd128750597153bb5987e10b1c3493a34e5a4502a',
    dimensions: 768,
  },
  {
    ...e5,
    ...named('multilingual-e5-large', 'intfloat'),
    revision: '3d7cfbdacd47fdda877c5cd8a79fbcc4f2a574f3',
    dimensions: 1024,
  },
  // The card: 8192 tokens, 2048 without the longer rotary base; dimensions 768, 512, 256, 128 and 64.
  {
    ...selfHosted,
    ...named('nomic-embed-text', 'nomic-ai', 'nomic-embed-text-v1.5'),
    revision: 'e9b6763023c676ca8431644204f50c2b100d9aab',
    ollamaName: 'nomic-embed-text',
    dimensions: 768,
    shortestDimensions: 64,
    maxTokensPerText: 8192,
    documentPrefix: 'search_document: ',
    queryPrefix: 'search_query: ',
  },
  // The documentation shows vectors cut to 512; whether the weights give unit length by themselves is not said there.
  {
    ...selfHosted,
    ...named('mxbai-embed-large', 'mixedbread-ai', 'mxbai-embed-large-v1'),
    revision: 'db9d1fe0f31addb4978201b2bf3e577f3f8900d2',
    ollamaName: 'mxbai-embed-large',
    dimensions: 1024,
    shortestDimensions: 512,
    maxTokensPerText: 512,
    queryPrefix: 'Represent this sentence for searching relevant passages: ',
    normalized: false,
  },
];

/** By short name, full name, the full name without its owner, or Ollama's name with or without a tag. */
export function findKnownModel(name: string): KnownModel | undefined {
  const wanted = name.toLowerCase();
  const untagged = wanted.replace(/:[^:/]*$/, '');
  return knownModels.find(
    ({ name: short, fullName, ollamaName }) =>
      [short, fullName, fullName.split('/').at(-1)].some(known => known?.toLowerCase() === wanted) ||
      ollamaName === untagged,
  );
}

function named(name: string, owner?: string, repository = name): Pick<KnownModel, 'name' | 'fullName'> {
  return { name, fullName: owner === undefined ? name : `${owner}/${repository}` };
}
