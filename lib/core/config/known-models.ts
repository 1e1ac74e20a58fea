import type { ProviderName } from '../providers.ts';

/**
 * Facts about weights that hold wherever the weights are served.
 * The place decides the rest: provider, address, pinned revision.
 */
export interface KnownModel {
  /** The name that people write in a configuration. */
  readonly name: string;
  /** The full name: the repository on the Hugging Face hub, or OpenAI's name. */
  readonly fullName: string;
  /**
   * The commit of the hub's repository that is used where nobody names another.
   * Undefined: the weights have no public revisions.
   */
  readonly revision?: string;
  /**
   * The name in Ollama's library.
   * Undefined: the library does not have the weights, or is not known to have the same ones.
   */
  readonly ollamaName?: string;
  /** The provider, where only one serves the weights. */
  readonly provider?: ProviderName;
  readonly dimensions: number;
  /**
   * The shortest length to which the vectors were trained to be cut (Matryoshka).
   * Undefined: the vectors cannot be cut.
   */
  readonly shortestDimensions?: number;
  readonly maxTokensPerText: number;
  readonly documentPrefix: string;
  readonly queryPrefix: string;
  /**
   * Whether vectors have length 1 without being asked for it.
   * If false, the server must be asked for length 1: TEI, Ollama and `/v1/embed` are asked.
   */
  readonly normalized: boolean;
  /** `cls`: the vector of a text is that of its first token. Undefined: the mean of all. */
  readonly pooling?: 'cls';
  readonly usdPerMillionTokens: number;
}

/**
 * Facts that OpenAI's models share.
 * OpenAI's API description says 8192 tokens; the first model was announced with 8191, which is the
 * safe bound. Prices are list prices of May 2026. According to the API description, only the third
 * generation takes `dimensions`.
 */
const openAi = {
  provider: 'openai',
  maxTokensPerText: 8191,
  documentPrefix: '',
  queryPrefix: '',
  normalized: true,
} as const;

const selfHosted = { documentPrefix: '', queryPrefix: '', normalized: true, usdPerMillionTokens: 0 } as const;

/**
 * Facts that the E5 models share.
 * According to their model cards, one of the two prefixes is always needed, also where texts are
 * compared with each other.
 */
const e5 = {
  ...selfHosted,
  maxTokensPerText: 512,
  documentPrefix: 'passage: ',
  queryPrefix: 'query: ',
} as const;

/**
 * The weights that are known by name.
 * Dimensions, lengths and normalisation of the sentence-transformers models are from the table of
 * pretrained models in their documentation, those of the others from their model cards. Revisions
 * are commits of the hub. Several public projects that have nothing to do with each other pin each
 * of them (docs/decisions/0013-what-a-pinned-revision-means.md).
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
  // The weights' own `sentence_bert_config.json` is said to cut at 128 tokens, and the
  // documentation's table says 256. The lower limit holds in both cases.
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
    pooling: 'cls',
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
  // The model card says 8192 tokens, or 2048 without the longer rotary base, and dimensions of 768,
  // 512, 256, 128 and 64.
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
  // The documentation shows vectors cut to 512. It does not say whether the weights give unit
  // length by themselves.
  {
    ...selfHosted,
    ...named('mxbai-embed-large', 'mixedbread-ai', 'mxbai-embed-large-v1'),
    revision: 'db9d1fe0f31addb4978201b2bf3e577f3f8900d2',
    ollamaName: 'mxbai-embed-large',
    pooling: 'cls',
    dimensions: 1024,
    shortestDimensions: 512,
    maxTokensPerText: 512,
    queryPrefix: 'Represent this sentence for searching relevant passages: ',
    normalized: false,
  },
];

/**
 * Finds known weights by a name that people use for them.
 * The name is the short name, the full name, the full name without its owner, or Ollama's name with
 * or without a tag. Case does not matter.
 */
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
