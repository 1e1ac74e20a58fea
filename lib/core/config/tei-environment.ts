/**
 * Texts that the container accepts in one call, at least.
 * The adapter sends 32 where a model says nothing. The larger number lets `limits.maxTextsPerCall`
 * be raised without a new endpoint.
 */
const TEXTS_PER_CALL = 256;

/**
 * Composes the environment of the container of Text Embeddings Inference.
 * The container's own defaults (32 texts, 2 MB, cutting without being asked since 1.9) do not fit
 * the adapter, which says in each call whether to cut. `TASK` is never set: with it the container
 * would answer with similarities instead of vectors.
 */
export function composeTeiEnvironment(maxTextsPerCall: number | undefined): Readonly<Record<string, string>> {
  return {
    HF_MODEL_ID: '/opt/ml/model',
    MAX_CLIENT_BATCH_SIZE: String(Math.max(TEXTS_PER_CALL, maxTextsPerCall ?? 0)),
    MAX_BATCH_TOKENS: '65536',
    /** Each text of a call counts as one request. */
    MAX_CONCURRENT_REQUESTS: '4096',
    /** Bytes of a body: the most that the adapter sends and that InvokeEndpoint takes. */
    PAYLOAD_LIMIT: '6000000',
    AUTO_TRUNCATE: 'false',
  };
}
