import { type Answering, type Behaviour, embed, POISON, refusal, sendJson } from './behaviour.ts';
import { toBase64 } from './protocols.ts';

interface Item {
  object: string;
  index?: number;
  embedding: unknown;
}

const error = (changes: Record<string, string>) => ({ error: { message: 'canary', ...changes } });

const coded = (status: number, changes: Record<string, string>) =>
  refusal(
    `status ${status} with ${JSON.stringify(changes).replace(/[{}"]/g, '')}`,
    ['openai'],
    status,
    error(changes),
  );

/** The right answer, its list changed. */
function altered(name: string, change: (data: Item[], answering: Answering) => unknown): Behaviour {
  return {
    name,
    protocols: ['openai'],
    answer: answering => {
      const { protocol, texts, body, response } = answering;
      const whole = protocol.compose(protocol.vectorsOf(texts), body) as { data: Item[] };
      sendJson(response, 200, { ...whole, data: change(whole.data, answering) });
    },
  };
}

const encodePoison = (name: string, embedding: (right: string) => unknown) =>
  altered(name, (data, { texts }) =>
    data.map((item, position) =>
      texts[position] === POISON ? { ...item, embedding: embedding(String(item.embedding)) } : item,
    ),
  );

const named = (name: string, model: string): Behaviour => ({
  name,
  protocols: ['openai'],
  answer: ({ protocol, texts, body, response }) =>
    sendJson(response, 200, {
      ...(protocol.compose(protocol.vectorsOf(texts), body) as object),
      model,
    }),
});

/** Refuses what a call asks for, and answers every other call rightly. */
const refusing = (
  name: string,
  refuses: (body: Answering['body']) => boolean,
  status: number,
  body: unknown,
): Behaviour => ({
  name,
  protocols: ['openai', 'azure'],
  answer: answering =>
    refuses(answering.body)
      ? sendJson(answering.response, status, body)
      : sendJson(answering.response, 200, {
          data: answering.protocol
            .vectorsOf(answering.texts)
            .map((embedding, index) => ({ index, embedding })),
        }),
});

const asksBase64 = (body: Answering['body']) => body.encoding_format === 'base64';
const asksForEncoding = (body: Answering['body']) => 'encoding_format' in body;

/** What servers do that have no base64, or no `encoding_format`. */
const ENCODING_BEHAVIOURS: readonly Behaviour[] = [
  refusing('status 400 to base64, with its parameter', asksBase64, 400, error({ param: 'encoding_format' })),
  refusing('status 400 to base64, in a sentence', asksBase64, 400, {
    error: 'canary: only float is supported, not base64',
  }),
  refusing('status 422 to base64, as FastAPI answers', asksBase64, 422, {
    detail: [{ loc: ['body', 'encoding_format'], msg: "Input should be 'float'", input: 'base64' }],
  }),
  refusing('status 400 to base64, without a word about it', asksBase64, 400, error({})),
  refusing('status 422 to base64, without a body that is an error', asksBase64, 422, 'canary'),
  refusing('status 400 to any encoding_format', asksForEncoding, 400, error({ param: 'encoding_format' })),
];

/** What only OpenAI's API and its imitations do. */
export const OPENAI_BEHAVIOURS: readonly Behaviour[] = [
  ...ENCODING_BEHAVIOURS,
  altered('floats where base64 was asked', (data, { protocol, texts }) =>
    data.map((item, position) => ({ ...item, embedding: protocol.vectorsOf(texts)[position] })),
  ),
  altered('the list in reverse, with right indexes', data => [...data].reverse()),
  altered('an index that comes twice', data => data.map(item => ({ ...item, index: 0 }))),
  altered('an index beyond the list', data => data.map(item => ({ ...item, index: (item.index ?? 0) + 1 }))),
  altered('an index that is left out where it is 0', data =>
    data.map(({ index, ...item }) => (index === 0 ? item : { index, ...item })),
  ),
  altered('no index at all', data => data.map(({ index: _, ...item }) => item)),
  altered('null for every index', data => data.map(item => ({ ...item, index: null }))),
  altered('the list in reverse, with the index left out where it is 0', data =>
    [...data].reverse().map(({ index, ...item }) => (index === 0 ? item : { index, ...item })),
  ),
  altered('words for indexes', data => data.map(item => ({ ...item, index: `canary ${item.index}` }))),
  altered('null instead of an item', data => data.map(() => null)),
  altered('null instead of the list', () => null),
  encodePoison('base64 of an odd number of bytes', () => Buffer.alloc(33, 1).toString('base64')),
  encodePoison('base64 cut in the middle of a group', right => right.slice(0, -2)),
  encodePoison('base64 in the URL alphabet', right => `-${right.slice(1)}`),
  encodePoison('letters that are no base64', () => '!!!!'),
  {
    name: 'only half of the dimensions asked for',
    protocols: ['openai'],
    answer: ({ protocol, texts, body, response }) => {
      const halves = protocol.vectorsOf(texts).map(vector => vector.slice(0, vector.length / 2));
      sendJson(response, 200, protocol.compose(halves, body));
    },
  },
  {
    name: 'no usage',
    protocols: ['openai'],
    answer: ({ protocol, texts, response }) =>
      sendJson(response, 200, {
        data: protocol
          .vectorsOf(texts)
          .map((vector, index) => ({ object: 'embedding', index, embedding: toBase64(vector) })),
      }),
  },
  named('a reply that names a version of the model', 'text-embedding-3-small-2024-01'),
  named('a reply that names an unfamiliar model', 'canary-deployment'),
  named('a reply that names another known model', 'text-embedding-ada-002'),
  coded(429, { code: 'rate_limit_exceeded', type: 'tokens' }),
  coded(429, { code: 'slow_down' }),
  coded(429, { code: 'insufficient_quota' }),
  coded(429, { type: 'insufficient_quota' }),
  coded(429, { code: 'credit_balance_exhausted' }),
  coded(429, { code: 'organization_spend_limit_exceeded' }),
  coded(429, { code: 'project_spend_limit_exceeded' }),
  coded(429, { code: 'organization_usage_limit_exceeded' }),
  coded(403, { code: 'billing_not_active' }),
  coded(503, { code: 'server_is_overloaded' }),
  coded(400, { code: 'max_tokens_per_request', param: 'input' }),
  coded(400, { code: 'context_length_exceeded', param: 'input' }),
  coded(400, { param: 'dimensions' }),
  coded(400, { param: 'model' }),
  coded(401, { code: 'invalid_api_key' }),
  coded(404, { code: 'model_not_found' }),
  {
    name: 'max_tokens_per_request for more than one text',
    protocols: ['openai'],
    answer: answering =>
      answering.texts.length > 1
        ? sendJson(answering.response, 400, error({ code: 'max_tokens_per_request' }))
        : embed(answering),
  },
];

const isAzureCall = ({ headers }: Answering, key: string) =>
  headers['api-key'] === key && headers.authorization === undefined;

const azure = (name: string, status: number, code: string) =>
  refusal(name, ['azure'], status, { error: { code, message: 'canary' } });

/** What Azure does with OpenAI's API: its key travels in a header of its own. */
export const AZURE_BEHAVIOURS: readonly Behaviour[] = [
  {
    name: 'the right answer to the header api-key alone',
    protocols: ['azure'],
    answer: answering =>
      isAzureCall(answering, 'canary-key-old')
        ? embed(answering)
        : sendJson(answering.response, 401, error({ code: '401' })),
  },
  {
    name: 'status 401 for the old api-key, the right answer for the new one',
    protocols: ['azure'],
    answer: answering =>
      isAzureCall(answering, 'canary-key-fresh')
        ? embed(answering)
        : sendJson(answering.response, 401, error({ code: '401' })),
  },
  azure('status 404 with code DeploymentNotFound', 404, 'DeploymentNotFound'),
  azure('status 429 with code 429', 429, '429'),
];
