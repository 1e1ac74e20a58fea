import { type Behaviour, embed, POISON, refusal, sendJson } from './behaviour.ts';

const contract = (status: number, code: string, headers: Record<string, string> = {}) =>
  refusal(
    `status ${status} with code ${code}`,
    ['http'],
    status,
    { error: { code, message: 'canary' } },
    headers,
  );

/** What only a `/v1/embed` service does. */
export const HTTP_BEHAVIOURS: readonly Behaviour[] = [
  contract(401, 'unauthorized'),
  contract(403, 'forbidden'),
  contract(404, 'model_not_found'),
  contract(413, 'batch_too_large'),
  contract(422, 'invalid_text'),
  contract(429, 'rate_limited', { 'retry-after': '3' }),
  contract(503, 'overloaded'),
  contract(503, 'not_ready'),
  refusal('status 422 about normalize', ['http'], 422, { error: { param: 'normalize' } }),
  refusal('status 422 about normalize, as FastAPI answers', ['http'], 422, {
    detail: [{ loc: ['body', 'normalize'], msg: 'canary' }],
  }),
  {
    name: 'a dim that its vectors do not have',
    protocols: ['http'],
    answer: ({ response, protocol, texts }) =>
      sendJson(response, 200, { dim: 3, vectors: protocol.vectorsOf(texts) }),
  },
  {
    name: 'vectors without dim',
    protocols: ['http'],
    answer: ({ response, protocol, texts }) =>
      sendJson(response, 200, { vectors: protocol.vectorsOf(texts) }),
  },
  {
    name: 'batch_too_large for more than one text',
    protocols: ['http'],
    answer: answering =>
      answering.texts.length > 1
        ? sendJson(answering.response, 413, { error: { code: 'batch_too_large' } })
        : embed(answering),
  },
];

/** What only Ollama does. */
export const OLLAMA_BEHAVIOURS: readonly Behaviour[] = [
  refusal('the model was never pulled (404)', ['ollama'], 404, { error: 'model "canary" not found' }),
  refusal('the queue is full (503)', ['ollama'], 503, { error: 'server busy, please try again' }),
  {
    name: 'a vector with NaN, which cannot be encoded (500)',
    protocols: ['ollama'],
    answer: answering =>
      answering.texts.includes(POISON)
        ? sendJson(answering.response, 500, {
            error: 'failed to encode response: json: unsupported value: NaN',
          })
        : embed(answering),
  },
  {
    name: 'status 200 with embeddings: []',
    protocols: ['ollama'],
    answer: ({ response }) => sendJson(response, 200, { model: 'm', embeddings: [] }),
  },
  {
    name: 'all or nothing: 400 for a batch with one bad text',
    protocols: ['ollama'],
    answer: answering =>
      answering.texts.includes(POISON)
        ? sendJson(answering.response, 400, { error: 'the input is canary' })
        : embed(answering),
  },
  {
    name: 'the old endpoint: one embedding, not a list of them',
    protocols: ['ollama'],
    answer: ({ response, protocol, texts }) =>
      sendJson(response, 200, { embedding: protocol.vectorsOf(texts)[0] }),
  },
];
