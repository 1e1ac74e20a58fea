import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fromJSONSchema, type ZodType } from 'zod';
import type { Network } from '../../lib/adapters/network/open-network.ts';
import { createHttpProvider } from '../../lib/adapters/providers/http.ts';
import { BytePieces } from '../../lib/core/vectors.ts';
import { createNetworkClock } from '../doubles/network-clock.ts';
import { type Flaw, SERVICE, startEmbedService } from '../doubles/start-embed-service.ts';
import { makeModel } from '../factories/model-definition.ts';

type Json = Readonly<Record<string, unknown>>;

/** The CDK brings a reader of YAML along. */
const { parse } = createRequire(createRequire(import.meta.url).resolve('aws-cdk-lib'))('yaml');
const contract: Contract = parse(
  readFileSync(join(import.meta.dirname, '../../docs/contracts/embed-v1.yaml'), 'utf8'),
);

interface Contract {
  readonly paths: { readonly '/v1/embed': { readonly post: Operation } };
  readonly components: { readonly responses: Readonly<Record<string, Body>>; readonly schemas: Json };
}
interface Operation {
  readonly requestBody: Body;
  readonly responses: Readonly<Record<string, Body | { readonly $ref: string }>>;
}
interface Body {
  readonly content: { readonly 'application/json': { readonly schema: object } };
}

const { post } = contract.paths['/v1/embed'];

/** With the contract's own components beside it, where references of JSON Schema find them. */
function toSchema({ content }: Body): ZodType {
  const { schema } = content['application/json'];
  const text = JSON.stringify({ ...schema, $defs: contract.components.schemas });
  return fromJSONSchema(JSON.parse(text.replaceAll('#/components/schemas/', '#/$defs/')));
}

/** Undefined: the contract knows no such answer. */
function findAnswer(status: number): Body | undefined {
  const answer = post.responses[status];
  if (answer === undefined || !('$ref' in answer)) return answer;
  return contract.components.responses[answer.$ref.split('/').at(-1) ?? ''];
}

let service: Awaited<ReturnType<typeof startEmbedService>>;
const start = async (flaw?: Flaw) => {
  await service?.close();
  service = await startEmbedService(flaw);
};
beforeEach(() => start());
afterEach(() => service.close());

async function call(body: unknown, token: string = SERVICE.token) {
  const response = await fetch(`${service.url}/v1/embed`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: response.status, answer: await response.json() };
}

function isOfContract({ status, answer }: Awaited<ReturnType<typeof call>>): boolean {
  const body = findAnswer(status);
  return body !== undefined && toSchema(body).safeParse(answer).success;
}

const right = { model: SERVICE.model, texts: ['one', 'two'], normalize: true };

describe('the reference service', () => {
  it.each<[number, unknown, string?]>([
    [200, right],
    [200, { ...right, texts: [] }],
    [200, { ...right, vector_text_hash: ['a'.repeat(64), 'b'.repeat(64)] }],
    [400, 'no JSON'],
    [401, right, 'another-token'],
    [404, { ...right, model: 'unknown' }],
    [413, { ...right, texts: Array(SERVICE.maxTexts + 1).fill('text') }],
    [422, { ...right, texts: [1] }],
  ])('answers %i as the contract says', async (status, body, token) => {
    const found = await call(body, token);

    expect(found.status).toBe(status);
    expect(isOfContract(found)).toBe(true);
  });

  it('would be found where its answers are none of the contract', async () => {
    await start('wrong-error-shape');
    const refused = await call({ ...right, model: 'unknown' });
    await start('crashes-on-length');
    const crashed = await call({ ...right, texts: ['x'.repeat(100_001)] });

    expect([refused.status, isOfContract(refused)]).toEqual([404, false]);
    expect([crashed.status, isOfContract(crashed)]).toEqual([500, false]);
  });
});

it.each([
  ['no dim', { vectors: [[1]] }],
  ['a dim of 0', { dim: 0, vectors: [] }],
  ['a vector of words', { dim: 1, vectors: [['1']] }],
  ['a vector that is none', { dim: 1, vectors: [null] }],
  ['half a token', { dim: 1, vectors: [[1]], tokens: 0.5 }],
])('an answer with %s is none of the contract', (_, answer) => {
  expect(isOfContract({ status: 200, answer })).toBe(false);
  expect(isOfContract({ status: 200, answer: { dim: 1, vectors: [[1]] } })).toBe(true);
});

it.each([true, false])(
  'the request that Freshet sends is of the contract, with hashes: %s',
  async sendTextHashes => {
    const bodies: unknown[] = [];
    const network: Network = {
      post: async ({ body }) => {
        bodies.push(JSON.parse(body));
        const answer = Buffer.from('{"dim":1,"vectors":[[1],[1]]}');
        return { status: 200, headers: new Headers(), body: new BytePieces([answer]) };
      },
      stream: () => Promise.reject(new Error('no other request is made')),
      close: async () => undefined,
    };
    const model = makeModel({ provider: 'http', baseUrl: 'https://embed.example', sendTextHashes });
    const provider = createHttpProvider(model, { key: undefined }, network, createNetworkClock());

    await provider.embed({ texts: ['one', 'zwei 🌊'], deadlineMs: 1000 });

    const request = toSchema(post.requestBody);
    expect(bodies).toHaveLength(1);
    expect(request.safeParse(bodies[0]).success).toBe(true);
    expect(request.safeParse({ ...(bodies[0] as object), vector_text_hash: ['A'] }).success).toBe(false);
    expect(request.safeParse({ ...(bodies[0] as object), texts: undefined }).success).toBe(false);
  },
);
