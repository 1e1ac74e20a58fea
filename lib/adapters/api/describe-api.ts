import * as z from 'zod';
import { SEARCH_ADDRESSES } from '../../core/service-routes.ts';
import { itemRequest, itemsRequest, jobResponse, jobsResponse, receiptResponse } from './item-schemas.ts';
import {
  embeddingsRequest,
  embeddingsResponse,
  embedRequest,
  embedResponse,
  errorResponse,
  healthResponse,
  modelsResponse,
  nudgeRequest,
  nudgeResponse,
  readyResponse,
  searchJobRequest,
  searchJobResponse,
  searchRequest,
  searchResponse,
} from './schemas.ts';

interface Operation {
  readonly path: string;
  readonly method: 'get' | 'post' | 'delete';
  readonly summary: string;
  readonly request?: z.ZodType;
  readonly response?: z.ZodType;
  /** Undefined: 200. */
  readonly success?: 202;
  /** Statuses beside 200 with what each says. */
  readonly refusals: readonly number[];
  readonly isGuarded: boolean;
}

const EMBED_REFUSALS = [400, 401, 403, 413, 415, 422, 429, 500, 502, 503, 504];

const ITEM_REFUSALS = [400, 401, 403, 404, 413, 415, 429, 500, 503];
const FOUND_REFUSALS = [401, 403, 404, 429, 500, 503];

const OPERATIONS: readonly Operation[] = [
  {
    ...{ path: '/v1/embed', method: 'post', summary: 'One vector for each text', isGuarded: true },
    ...{ request: embedRequest, response: embedResponse, refusals: EMBED_REFUSALS },
  },
  {
    ...{ path: '/v1/embeddings', method: 'post', summary: 'As /v1/embeddings of OpenAI', isGuarded: true },
    ...{ request: embeddingsRequest, response: embeddingsResponse, refusals: EMBED_REFUSALS },
  },
  ...SEARCH_ADDRESSES.map(
    (path): Operation => ({
      ...{ path, method: 'post', summary: 'Rows by meaning, and how far to trust them' },
      ...{ request: searchRequest, response: searchResponse, isGuarded: true },
      refusals: [...EMBED_REFUSALS, 404, 409],
    }),
  ),
  {
    ...{ path: '/v1/jobs/search', method: 'post', summary: 'As /v1/search, fetched later: 202 with a job' },
    ...{ request: searchJobRequest, response: searchJobResponse, success: 202, isGuarded: true },
    refusals: [400, 401, 403, 413, 415, 429, 500, 503],
  },
  {
    ...{ path: '/v1/jobs/search/{job_id}', method: 'get', summary: 'What a search found', isGuarded: true },
    ...{ response: searchJobResponse, refusals: FOUND_REFUSALS },
  },
  {
    ...{ path: '/v1/vectors/embed', method: 'post', summary: 'Keeps a text of an item, to be embedded' },
    ...{ request: itemRequest, response: jobResponse, success: 202, isGuarded: true },
    refusals: ITEM_REFUSALS,
  },
  {
    ...{
      path: '/v1/vectors/embed/batch',
      method: 'post',
      summary: 'As /v1/vectors/embed, of 1 to 100 items',
    },
    ...{ request: itemsRequest, response: jobsResponse, success: 202, isGuarded: true },
    refusals: ITEM_REFUSALS,
  },
  {
    ...{ path: '/v1/jobs/{job_id}', method: 'get', summary: 'How a job stands', isGuarded: true },
    refusals: FOUND_REFUSALS,
  },
  {
    ...{ path: '/v1/vectors/{asset_id}', method: 'delete', summary: 'Erases all items of an asset' },
    ...{ response: receiptResponse, success: 202, isGuarded: true, refusals: FOUND_REFUSALS },
  },
  {
    ...{ path: '/v1/vectors/{asset_id}/{segment_id}', method: 'delete', summary: 'Erases an item' },
    ...{ response: receiptResponse, success: 202, isGuarded: true, refusals: FOUND_REFUSALS },
  },
  {
    ...{
      path: '/v1/receipts/{receipt_id}',
      method: 'get',
      summary: 'How far an erasure is',
      isGuarded: true,
    },
    ...{ response: receiptResponse, refusals: FOUND_REFUSALS },
  },
  {
    ...{ path: '/v1/models', method: 'get', summary: 'The models that are served', isGuarded: true },
    ...{ response: modelsResponse, refusals: [401, 403, 503] },
  },
  {
    ...{ path: '/v1/nudge', method: 'post', summary: 'Runs that watch look now', isGuarded: true },
    ...{ request: nudgeRequest, response: nudgeResponse, refusals: [400, 401, 403, 413, 415, 503] },
  },
  {
    ...{ path: '/health', method: 'get', summary: 'Whether the service lives', isGuarded: false },
    ...{ response: healthResponse, refusals: [403] },
  },
  {
    ...{ path: '/ready', method: 'get', summary: 'Whether every model is warm', isGuarded: false },
    ...{ response: readyResponse, refusals: [403] },
  },
  {
    ...{ path: '/metrics', method: 'get', summary: 'Numbers, as Prometheus reads them', isGuarded: false },
    refusals: [403],
  },
  {
    ...{ path: '/openapi.json', method: 'get', summary: 'This document', isGuarded: false },
    refusals: [403],
  },
];

const REFUSALS: Readonly<Record<number, string>> = {
  400: 'The body is not what this document says, a text is empty, or there is no such model.',
  401: 'The bearer token is missing or refused.',
  403: 'The Host is none of this service, or a page of another site sent the request.',
  404: 'There is no such source, row, item, job or receipt for this token.',
  409: 'The cursor is of vectors that another model replaced: ask for the first page again.',
  413: 'The body, or the number of texts, is over the limit.',
  415: 'The body is no application/json, or it is compressed.',
  422: 'A text is over the limit of the model and not to be cut, or the provider refuses it.',
  429: 'The queue of the model is full, or its provider asks for patience.',
  500: 'The service failed in a way that nobody foresaw.',
  502: 'The provider of the model failed; the message has the class of the failure.',
  503: 'The service warms up or ends.',
  504: 'The texts were not embedded in time.',
};
const WITH_RETRY_AFTER: readonly number[] = [429, 503];

interface DescribedApi {
  /** The addresses that are there. */
  readonly routes: Readonly<Record<string, unknown>>;
  /** Where a token is asked for. */
  readonly tokens: 'nowhere' | 'for-v1' | 'everywhere';
  /** The models that are served, which are all that a request can name. */
  readonly aliases: readonly string[];
}

/** Composes the OpenAPI document of the service from the schemas that requests are read by. */
export function describeApi({ routes, tokens, aliases }: DescribedApi): object {
  const asksTokens = tokens !== 'nowhere';
  const paths: Record<string, Record<string, object>> = {};
  for (const operation of OPERATIONS) {
    const { path, method, refusals } = operation;
    if (!Object.hasOwn(routes, path)) continue;
    const response = path === '/v1/jobs/{job_id}' ? answerOfJobs(routes) : operation.response;
    const isGuarded = operation.isGuarded || tokens === 'everywhere';
    const isShown = (status: number) =>
      asksTokens || (status !== 401 && (status !== 503 || method !== 'get' || path.includes('{')));
    const answers = refusals.filter(isShown).map(status => [String(status), describeRefusal(status)]);
    const notReady =
      path === '/ready' ? [['503', describeSuccess('Not every model is warm.', readyResponse)]] : [];
    const parameters = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
      ...{ name, in: 'path', required: true, schema: { type: 'string' } },
    }));
    paths[path] = {
      ...paths[path],
      [method]: {
        summary: operation.summary,
        ...(parameters.length > 0 && { parameters }),
        ...(asksTokens && isGuarded ? { security: [{ bearer: [] }] } : {}),
        ...(operation.request && {
          requestBody: {
            required: true,
            content: {
              'application/json': { schema: nameModels(toJson(operation.request, 'input'), aliases) },
            },
          },
        }),
        responses: {
          [operation.success ?? 200]: describeSuccess('Success.', response),
          ...Object.fromEntries([...answers, ...notReady]),
        },
      },
    };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Freshet embedding service', version: '1.0.0' },
    paths,
    components: {
      ...(asksTokens && {
        securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
      }),
      schemas: { ErrorResponse: toJson(errorResponse, 'output') },
    },
  };
}

/** What answers for a job, of the kinds of jobs that are there. */
function answerOfJobs(routes: DescribedApi['routes']): z.ZodType {
  if (!Object.hasOwn(routes, '/v1/jobs/search')) return jobResponse;
  return Object.hasOwn(routes, '/v1/vectors/embed')
    ? z.union([jobResponse, searchJobResponse])
    : searchJobResponse;
}

function describeSuccess(description: string, schema: z.ZodType | undefined): object {
  if (schema === undefined) return { description };
  return { description, content: { 'application/json': { schema: toJson(schema, 'output') } } };
}

function describeRefusal(status: number): object {
  return {
    description: REFUSALS[status],
    ...(WITH_RETRY_AFTER.includes(status) && {
      headers: { 'retry-after': { description: 'Seconds.', schema: { type: 'string' } } },
    }),
    ...(status === 401 && {
      headers: { 'www-authenticate': { description: 'Bearer.', schema: { type: 'string' } } },
    }),
    content: { 'application/json': { schema: { $ref: '#/components/schemas/ErrorResponse' } } },
  };
}

function nameModels(schema: object, aliases: readonly string[]): object {
  const { properties = {} } = schema as { readonly properties?: { readonly model?: object } };
  if (properties.model === undefined) return schema;
  return { ...schema, properties: { ...properties, model: { ...properties.model, enum: aliases } } };
}

function toJson(schema: z.ZodType, io: 'input' | 'output'): object {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return json;
}
