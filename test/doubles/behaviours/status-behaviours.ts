import { type Behaviour, embed, PLAIN, POISON, refusal, send, sendJson } from './behaviour.ts';

const ERROR = { error: { message: 'canary', type: null, code: null, param: null } };

const plain = (status: number, headers: Record<string, string> = {}, name = `status ${status}`) =>
  refusal(name, PLAIN, status, ERROR, headers);

const throttled = (what: string, headers: Record<string, string>) =>
  plain(429, headers, `status 429, ${what}`);

/** As some frameworks do: an error that quotes the input, the headers and the key. */
const echoes = [400, 401, 422, 429, 500, 418].map(
  (status): Behaviour => ({
    name: `an error that quotes text and key (${status})`,
    protocols: PLAIN,
    answer: ({ response, body, headers, texts }) => {
      const text = texts[0];
      const message = `bad: ${JSON.stringify(body)} ${headers.authorization}`;
      sendJson(
        response,
        status,
        { error: { message, code: text, type: text, param: text }, message, error_type: text },
        { 'x-request-id': encodeURIComponent(text ?? ''), 'retry-after': encodeURIComponent(text ?? '') },
      );
    },
  }),
);

/** As llama.cpp and Ollama answer for a model or a server that only writes text. */
const UNSUPPORTED = 'this model does not support embeddings';

/** Statuses that mean the same to every adapter that sees the server's own answer, and how long they ask to wait. */
export const STATUS_BEHAVIOURS: readonly Behaviour[] = [
  ...[402, 403, 404, 405, 408, 409, 410, 413, 418, 425, 500, 502, 503, 504].map(status => plain(status)),
  refusal('status 501: the model does not support embeddings', PLAIN, 501, { error: UNSUPPORTED }),
  refusal('status 501 with type not_supported_error', PLAIN, 501, {
    error: { code: 501, message: UNSUPPORTED, type: 'not_supported_error' },
  }),
  refusal('status 500 that says the model does not support embeddings', PLAIN, 500, { error: UNSUPPORTED }),
  ...['true', 'false'].map(value =>
    plain(418, { 'x-should-retry': value }, `status 418 with x-should-retry: ${value}`),
  ),
  {
    name: 'status 401',
    protocols: ['openai', 'http', 'ollama'],
    answer: ({ response }) => sendJson(response, 401, ERROR),
  },
  {
    name: 'status 401 for the old key, the right answer for the new one',
    protocols: ['openai', 'http'],
    answer: answering => {
      if (answering.headers.authorization === 'Bearer canary-key-fresh') return embed(answering);
      sendJson(answering.response, 401, ERROR);
    },
  },
  throttled('no hint', {}),
  throttled('retry-after in seconds', { 'retry-after': '7' }),
  throttled('retry-after in milliseconds', { 'retry-after-ms': '250' }),
  throttled('retry-after as a date', { 'retry-after': 'Fri, 31 Dec 2100 23:59:59 GMT' }),
  throttled('retry-after of ten years', { 'retry-after': '315360000' }),
  throttled('retry-after that is no time', { 'retry-after': 'canary' }),
  throttled('negative hints', { 'retry-after': '-1', 'x-ratelimit-reset-requests': '-1' }),
  throttled('the reset of what is used up', {
    'x-ratelimit-remaining-requests': '0',
    'x-ratelimit-reset-requests': '2s',
    'x-ratelimit-remaining-tokens': '100',
    'x-ratelimit-reset-tokens': '6m0s',
  }),
  {
    name: 'status 429 once, then the right answer',
    protocols: PLAIN,
    answer: answering =>
      answering.callsBefore === 0 ? sendJson(answering.response, 429, ERROR) : embed(answering),
  },
  {
    name: 'status 503 twice, then the right answer',
    protocols: PLAIN,
    answer: answering =>
      answering.callsBefore < 2 ? sendJson(answering.response, 503, ERROR) : embed(answering),
  },
  {
    name: 'status 413 for more than one text',
    protocols: PLAIN,
    answer: answering =>
      answering.texts.length > 1 ? sendJson(answering.response, 413, ERROR) : embed(answering),
  },
  {
    name: 'status 413 for one certain text',
    protocols: PLAIN,
    answer: answering =>
      answering.texts.includes(POISON) ? sendJson(answering.response, 413, ERROR) : embed(answering),
  },
  ...[400, 422, 500, 502, 503, 418, 501].map(
    (status): Behaviour => ({
      name: `status ${status} for a batch with one certain text`,
      protocols: PLAIN,
      answer: answering =>
        answering.texts.includes(POISON) ? sendJson(answering.response, status, ERROR) : embed(answering),
    }),
  ),
  {
    name: 'a page with status 500 for a batch with one certain text',
    protocols: PLAIN,
    answer: answering =>
      answering.texts.includes(POISON)
        ? send(answering.response, 500, '<html>canary</html>', { 'content-type': 'text/html' })
        : embed(answering),
  },
  {
    name: 'half of the JSON for a batch with one certain text',
    protocols: PLAIN,
    answer: answering =>
      answering.texts.includes(POISON) ? send(answering.response, 200, '{"canary": [') : embed(answering),
  },
  {
    name: 'status 400 for everything',
    protocols: PLAIN,
    answer: ({ response }) => sendJson(response, 400, ERROR),
  },
  ...echoes,
];
