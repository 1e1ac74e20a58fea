/**
 * One entry of a provider: all that configuration, checks and failures know of it.
 * The union type, the schema of the configuration, its checks, the variables that are read and the
 * dialects of errors derive from this table. Beside its entry a provider has an adapter in
 * `lib/adapters/providers`, and an entry in the wiring's `CREATORS` that loads the adapter.
 */
interface Provider {
  /** Keys of a model that this provider reads and that not every provider has. */
  readonly keys: readonly OwnKey[];
  /**
   * The fields of a request's body that the adapter sends, each with what sets it.
   * `extraBody` cannot set them, and what a server refuses of them is told by the key.
   */
  readonly fields: Readonly<Record<string, FieldSource>>;
  /** The keys that must be given, each with a value as an example. */
  readonly needs: Readonly<Partial<Record<PlaceKey, string>>>;
  /** The address where the configuration names none. */
  readonly url?: string;
  /** The environment variable that replaces `url` for a run on this machine. */
  readonly urlVariable?: string;
  /** The bearer token of calls; undefined: no token is sent. */
  readonly key?: {
    /** The environment variable that holds the token for a run on this machine. */
    readonly variable: string;
    /** True: servers elsewhere refuse calls without a token. False: some servers do. */
    readonly isNeeded: boolean;
  };
  /**
   * The price of a text by batch as a share of its price by call; undefined: there are no batches.
   */
  readonly batchPriceShare?: number;
  /** Whether texts leave the process; undefined: they do. */
  readonly isInProcess?: true;
  /** The one model that the provider has, where it has no other. */
  readonly onlyModel?: OnlyModel;
  /** Whether a call can ask for fewer dimensions than the weights give. */
  readonly takesDimensions: boolean;
  /** Whether vectors have length 1 whatever the weights give, because the call asks for it. */
  readonly normalizes: boolean;
  /** Whether weights of the Hugging Face hub are served unchanged: then their revision holds. */
  readonly servesHubRevisions: boolean;
  /** Which name of known weights the provider uses. */
  readonly modelName: 'fullName' | 'ollamaName';
  /** Whether a model must pin its revision, because the place can get other weights unseen. */
  readonly needsPinnedRevision?: true;
  /**
   * Whether a model runs on this machine, from files that the configuration names with digests.
   * A Lambda function has no such machine.
   */
  readonly runsFiles?: true;
  readonly dialect: Dialect;
}

/** A model whose files come with the package; the folder is below `models/`. */
interface OnlyModel {
  readonly modelId: string;
  readonly revision: string;
  readonly dimensions: number;
  readonly folder: string;
  /** File of the folder → SHA-256, hexadecimal. */
  readonly files: Readonly<Record<'vocab.txt' | 'weights.bin', string>>;
}

/** Keys of a model that some providers read and others do not. */
type OwnKey =
  | PlaceKey
  | 'allowHttp'
  | 'headers'
  | 'extraBody'
  | 'queryExtraBody'
  | 'queryModelId'
  | 'encodingFormat'
  | 'sendTextHashes'
  | 'bulk'
  | 'batch'
  | 'files'
  | 'pooling';

/** What sets a field of a body: a key of the model, the texts, or nothing but the adapter. */
export type FieldSource =
  | 'modelId'
  | 'sendDimensions'
  | 'encodingFormat'
  | 'normalized'
  | 'sendTextHashes'
  | 'texts'
  | 'adapter';

/** What the error bodies and statuses of a provider mean beside what they mean everywhere. */
interface Dialect {
  /** Word of an error body, in lower case → failure code. */
  readonly words: Readonly<Record<string, string>>;
  /** HTTP status → failure code. */
  readonly statuses: Readonly<Record<number, string>>;
}

/** Keys that say where a model is served, and what a person is told who gives another value. */
export const PLACE_KEYS = {
  baseUrl: { isUrl: true, expected: 'expected a URL such as https://api.openai.com/v1' },
  endpointName: { isUrl: false, expected: 'expected the name of a SageMaker endpoint' },
  inferenceComponentName: { isUrl: false, expected: 'expected the name of an inference component' },
  modelFolder: { isUrl: false, expected: 'expected a folder with the files of a model' },
} as const;

export type PlaceKey = keyof typeof PLACE_KEYS;

/** Where a model is served, without the provider. */
export type ModelPlace = { readonly [key in PlaceKey]?: string | undefined } & {
  /** Whether `baseUrl` may be plain http on a private network, where texts travel readable. */
  readonly allowHttp?: boolean | undefined;
  /** Header in lower case → the environment variable that holds its value. */
  readonly headers?: Readonly<Record<string, { readonly env: string }>> | undefined;
};

/** What every provider takes whose requests travel over our own network. */
const HTTP_KEYS = ['baseUrl', 'allowHttp', 'headers', 'extraBody', 'queryExtraBody', 'queryModelId'] as const;

const NO_DIALECT: Dialect = { words: {}, statuses: {} };

const TABLE = {
  /** Any endpoint that speaks OpenAI's embeddings API. Its error words are known for all. */
  openai: {
    keys: [...HTTP_KEYS, 'encodingFormat', 'bulk', 'batch'],
    fields: {
      model: 'modelId',
      input: 'texts',
      encoding_format: 'encodingFormat',
      dimensions: 'sendDimensions',
    },
    needs: {},
    url: 'https://api.openai.com/v1',
    urlVariable: 'OPENAI_BASE_URL',
    key: { variable: 'OPENAI_API_KEY', isNeeded: true },
    batchPriceShare: 0.5,
    takesDimensions: true,
    normalizes: false,
    servesHubRevisions: true,
    modelName: 'fullName',
    dialect: NO_DIALECT,
  },
  /** A service that speaks `POST /v1/embed` (docs/contracts/embed-v1.yaml). */
  http: {
    keys: [...HTTP_KEYS, 'sendTextHashes'],
    fields: {
      model: 'modelId',
      texts: 'texts',
      normalize: 'normalized',
      vector_text_hash: 'sendTextHashes',
    },
    needs: { baseUrl: 'https://embeddings.internal' },
    key: { variable: 'FRESHET_HTTP_TOKEN', isNeeded: false },
    // The contract has no such field.
    takesDimensions: false,
    normalizes: true,
    servesHubRevisions: true,
    modelName: 'fullName',
    dialect: {
      words: {
        batch_too_large: 'batch_too_large',
        invalid_text: 'invalid_text',
        unauthorized: 'unauthorized',
        forbidden: 'forbidden',
        rate_limited: 'rate_limit',
        not_ready: 'cold',
      },
      statuses: { 404: 'model_not_found', 503: 'overloaded' },
    },
  },
  /** `/api/embed` of Ollama. Its weights are conversions with digests of their own. */
  ollama: {
    keys: HTTP_KEYS,
    fields: { model: 'modelId', input: 'texts', truncate: 'adapter', dimensions: 'sendDimensions' },
    needs: {},
    url: 'http://127.0.0.1:11434',
    takesDimensions: true,
    normalizes: true,
    servesHubRevisions: false,
    modelName: 'ollamaName',
    dialect: {
      words: { unsupported_value: 'invalid_vector' },
      // 404 is a model that was never pulled; 503 is a full queue.
      statuses: { 404: 'model_not_found', 503: 'overloaded' },
    },
  },
  /**
   * Text Embeddings Inference (TEI) behind a SageMaker endpoint; AWS credentials are the key.
   * TEI 1.8 sends 413 where 1.9 sends 422, and spells the words in other ways than its
   * documentation: the word decides, in lower case.
   */
  sagemaker: {
    keys: ['endpointName', 'inferenceComponentName', 'extraBody', 'queryExtraBody'],
    fields: {
      inputs: 'texts',
      normalize: 'normalized',
      truncate: 'adapter',
      dimensions: 'sendDimensions',
    },
    needs: { endpointName: 'embeddings' },
    takesDimensions: true,
    normalizes: true,
    servesHubRevisions: false,
    modelName: 'fullName',
    needsPinnedRevision: true,
    dialect: {
      words: {
        validation: 'tei_validation',
        tokenizer: 'tei_tokenizer',
        empty: 'tei_empty',
        backend: 'tei_backend',
        unhealthy: 'tei_unhealthy',
      },
      statuses: { 0: 'container_timeout', 424: 'tei_backend', 503: 'tei_unhealthy' },
    },
  },
  /**
   * A table of English token vectors that comes with the package (models/static-minilm/README.md).
   * The revision is the beginning of the digest of its weights.
   */
  static: {
    keys: [],
    fields: {},
    needs: {},
    isInProcess: true,
    onlyModel: {
      modelId: 'static-minilm-192',
      revision: '9d2ef4c48a07',
      dimensions: 192,
      folder: 'static-minilm',
      files: {
        'vocab.txt': '65c6dc759b7d2e643016ff51f107a742ba70d610abe86c3f6b9e83f138e183f0',
        'weights.bin': '9d2ef4c48a07ae19e7b1c678fff948337a2b8d553487eb8c9a696dcafe1d1bd1',
      },
    },
    takesDimensions: false,
    normalizes: true,
    servesHubRevisions: false,
    modelName: 'fullName',
    dialect: NO_DIALECT,
  },
  /**
   * Sentence models on this machine, as ONNX: from a folder, or from a commit of the hub.
   * Files of the hub are downloaded once; the model runs in a process of its own.
   */
  local: {
    keys: ['modelFolder', 'files', 'pooling'],
    fields: {},
    needs: {},
    url: 'https://huggingface.co',
    urlVariable: 'HF_ENDPOINT',
    isInProcess: true,
    takesDimensions: false,
    normalizes: true,
    servesHubRevisions: true,
    modelName: 'fullName',
    runsFiles: true,
    dialect: NO_DIALECT,
  },
  /** Feature hashing in this process, which makes as many dimensions as the model says. */
  hash: {
    keys: [],
    fields: {},
    needs: {},
    isInProcess: true,
    takesDimensions: false,
    normalizes: true,
    servesHubRevisions: false,
    modelName: 'fullName',
    dialect: NO_DIALECT,
  },
} as const satisfies Readonly<Record<string, Provider>>;

export type ProviderName = keyof typeof TABLE;

export const PROVIDERS: Readonly<Record<ProviderName, Provider>> = TABLE;

/** In the order in which people are told of them. */
export const PROVIDER_NAMES = Object.keys(TABLE) as [ProviderName, ...ProviderName[]];

/** The provider of a model while nothing says which one serves it: checks can go on with it. */
export const ASSUMED_PROVIDER: ProviderName = 'openai';

/** Addresses of this machine: 127.0.0.0/8, `::1`, and the former in the notation of IPv6. */
const LOOPBACK_ADDRESS = /^(127(\.\d{1,3}){3}|::1|::ffff:(127(\.\d{1,3}){3}|7f[\da-f]{2}:[\da-f]{1,4}))$/;

/**
 * Whether a host is this machine: an address as `URL` or a resolver writes it, or a name.
 * RFC 6761 keeps `localhost` and what ends in it for this machine, whatever a resolver says.
 */
export function isLoopbackHost(host: string): boolean {
  const bare = host
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '');
  return LOOPBACK_ADDRESS.test(bare) || /^(.+\.)?localhost$/.test(bare);
}
