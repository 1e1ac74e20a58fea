import * as z from 'zod';

const inputType = z
  .enum(['query', 'document'])
  .optional()
  .meta({
    description:
      'What the texts are to the model, whose prefix for it is added; queries are served before ' +
      'documents. Without it nothing is added: the caller has put its own prefix.',
  });

const model = z
  .string()
  .min(1)
  .max(200)
  .meta({ description: 'An alias of the configuration, as GET /v1/models lists it.' });

export const embedRequest = z.strictObject({
  model,
  texts: z.array(z.string()).meta({ description: '1 to 2048 texts, none of them empty.' }),
  normalize: z.boolean().default(true).meta({ description: 'Whether vectors have length 1.' }),
  truncate: z.boolean().default(false).meta({
    description:
      'Whether a text over the limit of the model is cut at its end. False: it is refused with 422.',
  }),
  input_type: inputType,
  vector_text_hash: z
    .array(z.string().regex(/^[0-9a-f]{64}$/, { error: 'expected 64 hexadecimal digits in lower case' }))
    .optional()
    .meta({
      description: 'SHA-256 of each text, as UTF-8, in the order of texts. A wrong one is refused.',
    }),
});

export const embedResponse = z.object({
  dim: z.int().min(1),
  vectors: z.array(z.array(z.number())),
  model: z.string(),
  revision: z.string(),
  tokens: z.int().min(1),
  usage: z.object({ tokens: z.int().min(1) }),
});

export const embeddingsRequest = z.strictObject({
  model,
  input: z
    .union([z.string(), z.array(z.string())], { error: 'expected a text, or an array of texts' })
    .meta({ description: 'One text, or 1 to 2048 texts. Tokens are not taken.' }),
  encoding_format: z.enum(['float', 'base64']).default('float'),
  dimensions: z
    .int()
    .min(1)
    .optional()
    .meta({ description: 'Those of the model; any other number is refused.' }),
  user: z.string().optional().meta({ description: 'Not read.' }),
  truncate: z.boolean().default(false),
  input_type: inputType,
});

export const embeddingsResponse = z.object({
  object: z.literal('list'),
  data: z.array(
    z.object({
      object: z.literal('embedding'),
      index: z.int().min(0),
      embedding: z.union([z.array(z.number()), z.string()]),
    }),
  ),
  model: z.string(),
  usage: z.object({ prompt_tokens: z.int(), total_tokens: z.int() }),
});

export const modelsResponse = z.object({
  object: z.literal('list'),
  data: z.array(
    z.object({
      id: z.string(),
      object: z.literal('model'),
      created: z.int(),
      owned_by: z.string(),
      revision: z.string(),
      dimensions: z.int(),
      max_tokens: z.int().nullable(),
    }),
  ),
});

const nullable = (type: z.ZodType) => z.union([type, z.null()]);

export const searchRequest = z.strictObject({
  source: z.string().min(1).max(200).meta({ description: 'A source of the configuration.' }),
  query: z.string().min(1).max(20_000).optional().meta({ description: 'A text; or give vector, or like.' }),
  vector: z.array(z.number()).min(1).max(16_000).optional(),
  like: z.string().min(1).max(1000).optional().meta({ description: 'The id of a row; it is no hit itself.' }),
  limit: z.int().min(1).max(100).default(10),
  filter: z
    .record(z.string(), z.unknown())
    .optional()
    .meta({
      description:
        'As of OpenAI: {type, key, value} with eq, ne, gt, gte, lt, lte, like, in, nin or is_null, and ' +
        '{type: and | or, filters}; keys are the filters of the source. At most 8 levels.',
    }),
  mode: z
    .enum(['semantic', 'keyword', 'hybrid'])
    .default('semantic')
    .meta({ description: 'By vectors, by words, or by both, fused by their ranks.' }),
  weights: z
    .strictObject({
      semantic: z.number().min(0).max(100).optional(),
      keyword: z.number().min(0).max(100).optional(),
    })
    .optional()
    .meta({ description: 'How much each leg of a hybrid search counts; 1 unless said.' }),
  rerank: z
    .strictObject({
      model: z.string().min(1).max(200).meta({ description: 'A reranker of the configuration.' }),
      candidates: z.int().min(1).max(1000).optional(),
    })
    .optional(),
  diversity: z.number().min(0).max(1).optional(),
  cursor: z.string().max(4096).optional().meta({ description: 'next of the page before.' }),
  columns: z.array(z.string().max(200)).min(1).max(50).optional(),
  min_score: z.number().min(-1).max(1).optional(),
});

/** A search as a job finds more at once, and has no pages. */
export const searchJobRequest = searchRequest
  .omit({ cursor: true })
  .extend({ limit: z.int().min(1).max(1000).default(100) });

export const searchResponse = z.object({
  source: z.string(),
  model: z.object({
    alias: z.string(),
    model_id: z.string(),
    revision: z.string(),
    dimensions: z.int(),
    space: z.int(),
  }),
  hits: z.array(
    z.object({
      id: z.string(),
      score: z.number(),
      rank: z.int(),
      scores: z.object({
        semantic: nullable(z.number()),
        keyword: nullable(z.number()),
        rerank: nullable(z.number()),
      }),
      columns: z.record(z.string(), z.unknown()),
    }),
  ),
  exact: z.boolean().meta({ description: 'Whether every row that the token may see was compared.' }),
  coverage_percent: nullable(z.number()),
  stale: nullable(z.int()),
  coverage_at: nullable(z.string()),
  without_keywords: nullable(z.int()).meta({ description: 'Rows that no search by words finds.' }),
  keyword: nullable(z.enum(['complete', 'partial'])),
  degraded: z.array(z.string()),
  next: nullable(z.string()),
  took_ms: z.number(),
});

export const searchJobResponse = z.object({
  job_id: z.string(),
  status: z.enum(['pending', 'running', 'succeeded', 'failed']),
  created_at: z.string(),
  expires_at: z.string().meta({ description: 'From then on nobody finds it.' }),
  failure: nullable(z.object({ code: z.string(), message: z.string() })),
  result: nullable(searchResponse).meta({ description: 'As /v1/search answers, once it succeeded.' }),
});

export const nudgeRequest = z.strictObject({
  source: z.string().min(1).max(63).optional().meta({ description: 'A source of the configuration.' }),
  ids: z
    .array(z.string().max(512))
    .max(1000)
    .optional()
    .meta({ description: 'Keys of rows that changed. A look finds them, and all others, by itself.' }),
});

export const nudgeResponse = z.object({ accepted: z.literal(true) });

export const healthResponse = z.object({ status: z.literal('ok') });

export const readyResponse = z.object({
  status: z.enum(['warming', 'ready', 'draining']),
  models: z.array(z.object({ model: z.string(), ready: z.boolean(), code: z.string().nullable() })),
});

export const errorResponse = z.object({
  error: z.object({
    code: z.string(),
    message: z.string(),
    type: z.string(),
    param: z.string().nullable(),
  }),
});

export type SearchRequestBody = z.input<typeof searchRequest>;
export type SearchResponseBody = z.output<typeof searchResponse>;
export type SearchJobRequestBody = z.input<typeof searchJobRequest>;
export type SearchJobResponseBody = z.output<typeof searchJobResponse>;
export type NudgeRequestBody = z.input<typeof nudgeRequest>;
export type EmbedRequestBody = z.input<typeof embedRequest>;
export type EmbedResponseBody = z.output<typeof embedResponse>;
export type EmbeddingsResponseBody = z.output<typeof embeddingsResponse>;
