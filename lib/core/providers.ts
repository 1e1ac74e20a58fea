/**
 * One entry of a provider: all that configuration, checks and failures know of it.
 * The union type, the schema of the configuration, its checks, the variables that are read and the
 * dialects of errors derive from this table. Beside its entry a provider has an adapter in
 * `lib/adapters/providers`, and an entry in the wiring's `CREATORS` that loads the adapter.
 */
interface Provider {
  /** Keys of a model that this provider reads and that not every provider has. */
  readonly keys: readonly (PlaceKey | 'sendTextHashes')[];
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
  /** Whether texts leave the process; undefined: they do. */
  readonly isInProcess?: true;
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
  readonly dialect: Dialect;
}

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
} as const;

export type PlaceKey = keyof typeof PLACE_KEYS;

/** Where a model is served, without the provider. */
export type ModelPlace = { readonly [key in PlaceKey]?: string | undefined };

const NO_DIALECT: Dialect = { words: {}, statuses: {} };

const TABLE = {
  /** Any endpoint that speaks OpenAI's embeddings API. Its error words are known for all. */
  openai: {
    keys: ['baseUrl'],
    needs: {},
    url: 'https://api.openai.com/v1',
    urlVariable: 'OPENAI_BASE_URL',
    key: { variable: 'OPENAI_API_KEY', isNeeded: true },
    takesDimensions: true,
    normalizes: false,
    servesHubRevisions: true,
    modelName: 'fullName',
    dialect: NO_DIALECT,
  },
  /** A service that speaks `POST /v1/embed` (docs/contracts/embed-v1.yaml). */
  http: {
    keys: ['baseUrl', 'sendTextHashes'],
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
    keys: ['baseUrl'],
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
    keys: ['endpointName', 'inferenceComponentName'],
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
  /** Feature hashing in this process, which makes as many dimensions as the model says. */
  hash: {
    keys: [],
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
