import * as z from 'zod';
import type { Json } from '../model.ts';
import { PLACE_KEYS, type PlaceKey, PROVIDER_NAMES } from '../providers.ts';
import { awsSection } from './aws-schema.ts';
import { budgetSection } from './budget-schema.ts';
import { documentsSection } from './documents-schema.ts';
import { flag, timeZone, wholeNumber, word } from './leaf-schemas.ts';
import { limitsSection, modesSection, onOutage } from './limits-schema.ts';
import { rerankerSection } from './reranker-schema.ts';
import { identifier, searchSection } from './search-schema.ts';
import { serviceSection } from './service-schema.ts';

/** The most dimensions of a model: those of pgvector's type `vector`. */
export const MAX_DIMENSIONS = 16_000;

export const MAX_TOKENS_PER_TEXT = 1_000_000;

const prefix = z.string({ error: 'expected a text to put before each input' });

const webAddress = (error: string) =>
  word(error).refine(url => /^https?:$/.test(URL.parse(url)?.protocol ?? ''), { error });

const tableExpectation = 'expected "schema.table", "table", or { schema, name } for names that hold a dot';

const tableName = z.union(
  [
    z
      .string()
      .refine(name => name.split('.').length <= 2 && name.split('.').every(part => part.trim() !== ''), {
        error: tableExpectation,
      }),
    z.strictObject({ schema: identifier, name: identifier }),
  ],
  { error: tableExpectation },
);

const aliasExpectation = 'expected the alias of a model, or several of them in an array';

const aliases = z.union(
  [
    word(aliasExpectation).transform(alias => [alias]),
    z.array(word(aliasExpectation)).min(1, { error: aliasExpectation }),
  ],
  { error: aliasExpectation },
);

const keyExpectation = 'expected the name of a column, or up to 4 of them in an array';

const keyNames = z.union(
  [
    identifier,
    z
      .array(identifier, { error: keyExpectation })
      .min(1, { error: keyExpectation })
      .max(4, { error: keyExpectation })
      .refine(names => new Set(names).size === names.length, { error: 'expected each column once' }),
  ],
  { error: keyExpectation },
);

const source = z.strictObject(
  {
    name: identifier,
    table: tableName,
    key: keyNames.optional(),
    updatedAt: identifier.default('updated_at'),
    timeZone: timeZone.optional(),
    updatedAtUnit: z
      .enum(['seconds', 'milliseconds', 'microseconds'], {
        error: 'expected "seconds", "milliseconds" or "microseconds"',
      })
      .optional(),
    text: z.strictObject(
      {
        columns: z
          .array(identifier, { error: 'expected an array of column names' })
          .min(1, { error: 'expected at least one column name' }),
        template: word('expected a template such as "{title}: {summary}"').optional(),
      },
      { error: 'expected an object such as { columns: ["title", "summary"] }' },
    ),
    model: aliases.optional(),
    profile: word('expected the name of a profile').optional(),
    fallback: word('expected the alias of a model').optional(),
    onOutage: onOutage.optional(),
    search: searchSection.optional(),
    storage: z.enum(['vector', 'halfvec'], { error: 'expected "vector" or "halfvec"' }).optional(),
    overLimit: z.enum(['truncate', 'skip'], { error: 'expected "truncate" or "skip"' }).default('truncate'),
  },
  { error: 'expected an object such as { name, table, text: { columns }, model }' },
);

const quotedProviders = PROVIDER_NAMES.map(name => JSON.stringify(name));
const lastProvider = quotedProviders.at(-1);
const providerExpectation = `expected ${quotedProviders.slice(0, -1).join(', ')} or ${lastProvider}`;

const headersExpectation =
  "expected an object such as { 'x-api-key': { env: 'NAME' } }: each value is read from a variable";

/** Headers by their names, whose values stand in the environment and nowhere else. */
const headers = z
  .record(
    z.string().regex(/^[\w!#$%&'*+.^|~-]{1,100}$/, { error: headersExpectation }),
    z.strictObject(
      {
        env: z
          .string({ error: "expected the name of a variable, such as 'ACME_API_KEY'" })
          .regex(/^[A-Za-z_]\w*$/, { error: "expected the name of a variable, such as 'ACME_API_KEY'" }),
      },
      { error: "expected { env: 'NAME' }: the value is read from that variable, and stands nowhere else" },
    ),
    { error: headersExpectation },
  )
  .transform(named =>
    Object.fromEntries(Object.entries(named).map(([name, value]) => [name.toLowerCase(), value])),
  );

const bodyExpectation = "expected an object of JSON such as { input_type: 'document' }";

/** Fields that go into the body of a call beside our own. */
const bodyFields = z.record(
  z.string(),
  z.custom<Json>(value => isJson(value, 0), { error: 'expected a value of JSON' }),
  { error: bodyExpectation },
);

/** A body that is nested deeper is a circle, or nothing that a server asks for. */
const MAX_DEPTH = 20;

function isJson(value: unknown, depth: number): boolean {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object' || depth > MAX_DEPTH) return false;
  const isPlain = Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
  return isPlain && Object.values(value).every(child => isJson(child, depth + 1));
}

/** Where a model is served: the provider, and the keys that the table of providers knows. */
const placeShape = {
  provider: z.enum(PROVIDER_NAMES, { error: providerExpectation }).optional(),
  ...(Object.fromEntries(
    Object.entries(PLACE_KEYS).map(([key, { isUrl, expected }]) => [
      key,
      (isUrl ? webAddress(expected) : word(expected)).optional(),
    ]),
  ) as Record<PlaceKey, z.ZodOptional<z.ZodString>>),
  allowHttp: flag.optional(),
  headers: headers.optional(),
};

const filesExpectation =
  "expected the SHA-256 of each file, such as { 'model.onnx': '…', 'tokenizer.json': '…' }, in hexadecimal";

/** Files of a model by their path in its folder, each with its digest. */
const modelFiles = z
  .record(
    z.string().regex(/^(?!\.)[\w.-]+(\/(?!\.)[\w.-]+)*$/, { error: filesExpectation }),
    z
      .string({ error: filesExpectation })
      .regex(/^[\da-fA-F]{64}$/, { error: filesExpectation })
      .transform(digest => digest.toLowerCase()),
    { error: filesExpectation },
  )
  .refine(files => ['.onnx', 'tokenizer.json'].every(end => countEnds(files, end) === 1), {
    error: `${filesExpectation}: one that ends in .onnx, and one tokenizer.json`,
  });

function countEnds(files: Readonly<Record<string, string>>, end: string): number {
  return Object.keys(files).filter(path => path.endsWith(end)).length;
}

const callLimits = z.strictObject(
  {
    maxTextsPerCall: wholeNumber(1, 100_000).optional(),
    maxTokensPerCall: wholeNumber(1, 10_000_000).optional(),
    maxBytesPerCall: wholeNumber(1, 100_000_000).optional(),
    requestsPerMinute: wholeNumber(1, 10_000_000).optional(),
    tokensPerMinute: wholeNumber(1, 10_000_000_000).optional(),
  },
  { error: 'expected an object such as { maxTextsPerCall: 32 }' },
);

const batchTerms = z.strictObject(
  {
    deadlineHours: wholeNumber(1, 168).optional(),
    maxEnqueuedTokens: wholeNumber(1, 100_000_000_000).optional(),
    maxTexts: wholeNumber(1, 50_000).optional(),
  },
  { error: 'expected an object such as { deadlineHours: 26, maxEnqueuedTokens: 3_000_000 }' },
);

/**
 * An entry of `models`.
 * A known model needs only its place. Any other model needs `provider`, `modelId` and `dimensions`.
 */
const model = z.strictObject(
  {
    ...placeShape,
    modelId: word('expected the name that the provider gives the model').optional(),
    revision: word('expected the pinned revision of the weights').optional(),
    dimensions: wholeNumber(1, MAX_DIMENSIONS).optional(),
    maxTokensPerText: wholeNumber(1, MAX_TOKENS_PER_TEXT).optional(),
    documentPrefix: prefix.optional(),
    queryPrefix: prefix.optional(),
    normalized: flag.optional(),
    usdPerMillionTokens: z
      .number({ error: 'expected US dollars per million tokens, 0 or more' })
      .min(0, { error: 'expected US dollars per million tokens, 0 or more' })
      .optional(),
    sendDimensions: flag.optional(),
    encodingFormat: z
      .enum(['base64', 'float', 'omit'], { error: 'expected "base64", "float" or "omit"' })
      .optional(),
    extraBody: bodyFields.optional(),
    queryExtraBody: bodyFields.optional(),
    queryModelId: word('expected the name that the provider gives the model for searches').optional(),
    limits: callLimits.optional(),
    timeoutSeconds: wholeNumber(1, 600).optional(),
    maxRetries: wholeNumber(0, 10).optional(),
    sendTextHashes: flag.optional(),
    bulk: z.enum(['live', 'batch'], { error: 'expected "live" or "batch"' }).optional(),
    batch: batchTerms.optional(),
    check: z.enum(['on', 'off'], { error: 'expected "on" or "off"' }).optional(),
    files: modelFiles.optional(),
    pooling: z.enum(['mean', 'cls'], { error: 'expected "mean" or "cls"' }).optional(),
  },
  { error: 'expected an object such as { provider: "openai", modelId, dimensions }' },
);

const database = z.strictObject(
  {
    url: word('expected a URL such as postgres://user@host:5432/database')
      .refine(url => /^postgres(ql)?:\/\//.test(url), {
        error: 'expected a URL such as postgres://user@host:5432/database',
      })
      .optional(),
    embeddedDirectory: word('expected a folder').default('.freshet/database'),
    viewSchema: identifier.default('embeddings'),
  },
  { error: 'expected an object such as { url }' },
);

const registryExpectation =
  'expected entries alias:model_id:rev:dim:max_seq, in an array or parted by commas';

/**
 * The shape of `freshet.config.ts`.
 * `parseConfig` checks what one key must know of another.
 */
export const configSchema = z.strictObject(
  {
    database: database.prefault({}),
    models: z
      .record(word('expected an alias'), model, { error: 'expected an object of aliases' })
      .default({}),
    /** The place of every model that names no provider. */
    place: z
      .strictObject(placeShape, { error: "expected an object such as { provider: 'http', baseUrl }" })
      .optional(),
    /** Entries `alias:model_id:rev:dim:max_seq`. */
    registry: z.union([z.string(), z.array(z.string())], { error: registryExpectation }).default([]),
    profiles: z
      .record(word('expected the name of a profile'), aliases, {
        error: 'expected an object such as { rt: "fast", bulk: "thorough" }',
      })
      .default({}),
    sources: z.array(source, { error: 'expected an array of sources' }),
    /** Texts that clients give to the service, in place of a table. */
    documents: documentsSection.optional(),
    /** Servers that order hits anew, by the names that searches call them. */
    rerankers: z
      .record(word('expected a name'), rerankerSection, { error: 'expected an object of rerankers' })
      .optional(),
    limits: limitsSection.prefault({}),
    /** What `run --mode` may name, beside the modes that come with Freshet. */
    modes: modesSection.optional(),
    budget: budgetSection.optional(),
    service: serviceSection.prefault({}),
    aws: awsSection.optional(),
  },
  { error: 'expected an object made by defineConfig({ sources: [ … ] })' },
);

export type FreshetConfig = z.input<typeof configSchema>;
export type ParsedConfig = z.output<typeof configSchema>;
export type ParsedModel = z.output<typeof model>;
export type ParsedSource = z.output<typeof source>;
