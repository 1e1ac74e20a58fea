import { goldenKeyOf, goldenTexts } from '../core/golden-texts.ts';
import type { ModelDefinition } from '../core/model.ts';
import { estimateTokens, packTexts } from '../core/packing.ts';
import { requireVectors } from '../core/reply.ts';
import { cosineOf, measureNorm } from '../core/vectors.ts';
import type { Clock } from '../ports/process.ts';
import type { EmbeddingProvider, Tokenizer } from '../ports/provider.ts';
import type { GoldenStore } from '../ports/report-store.ts';
import { cutToTokens } from './embed/fit-texts.ts';
import { describeFailure } from './failures.ts';

/**
 * The least cosine between a golden vector and its record at which the model is unchanged.
 * Vectors of float16 on a GPU and of float32 on a CPU agree better. Vectors of another pooling,
 * prefix or revision agree worse.
 */
const LEAST_COSINE = 0.999;

/** What one check of a model found. */
export interface ModelCheck {
  readonly alias: string;
  readonly provider: string;
  readonly modelId: string;
  readonly revision: string;
  readonly dimensions: number;
  /** Norm of the vector that is farthest from 1; null where there are no vectors. */
  readonly norm: number | null;
  /** Cosine of the golden vector that agrees least; null where there was nothing to compare. */
  readonly cosine: number | null;
  readonly golden: 'recorded' | 'compared' | 'off' | 'failed';
  /** Milliseconds of the first call, which may have woken the endpoint. */
  readonly latencyMs: number;
  readonly calls: number;
  readonly tokens: number;
  readonly problem?: CheckProblem;
}

export interface CheckProblem {
  readonly code: string;
  readonly message: string;
  /**
   * The key of the model's configuration that mends the problem.
   * Undefined: the configuration is not what is wrong.
   */
  readonly key?: ModelKey;
}

type ModelKey = 'dimensions' | 'normalized' | 'modelId' | 'baseUrl' | 'endpointName' | 'revision';

interface CheckPorts {
  readonly provider: EmbeddingProvider;
  readonly tokenizer: Tokenizer;
  readonly golden: GoldenStore;
  readonly clock: Clock;
}

type GoldenReply = Pick<ModelCheck, 'latencyMs' | 'calls' | 'tokens'> & {
  readonly vectors: readonly Buffer[];
};

/**
 * Asks a model for the vectors of the golden texts.
 * The first answer is recorded, and later answers are compared with the record. Nothing is retried:
 * whoever checks wants to hear of a failure. `deadlineMs` bounds each call. Failures of the
 * provider are in the answer.
 * @throws FreshetError where the database fails.
 */
export async function checkModel(
  ports: CheckPorts,
  model: ModelDefinition,
  deadlineMs: number,
): Promise<ModelCheck> {
  const { alias, provider, modelId, revision, dimensions } = model;
  const named = { alias, provider, modelId, revision, dimensions };
  let reply: GoldenReply;
  try {
    reply = await embedGoldenTexts(ports, model, deadlineMs);
  } catch (error) {
    const problem = describeProblem(model, error);
    return {
      ...named,
      norm: null,
      cosine: null,
      golden: 'failed',
      latencyMs: 0,
      calls: 0,
      tokens: 0,
      problem,
    };
  }
  const { vectors, ...counted } = reply;
  const norms = vectors.map(measureNorm).toSorted((left, right) => Math.abs(right - 1) - Math.abs(left - 1));
  const found = { ...named, ...counted, norm: norms[0] ?? null };
  if (model.check === 'off') return { ...found, cosine: null, golden: 'off' };
  return { ...found, ...(await compareGolden(ports.golden, model, vectors)) };
}

async function embedGoldenTexts(
  { provider, tokenizer, clock }: CheckPorts,
  model: ModelDefinition,
  deadlineMs: number,
): Promise<GoldenReply> {
  const { maxTokensPerText, documentPrefix } = model;
  const { limits } = provider;
  const texts: string[] = [];
  for (const text of goldenTexts(maxTokensPerText)) {
    const cuts = limits.tokenization === 'local' && maxTokensPerText !== undefined;
    texts.push(documentPrefix + (cuts ? await cutToTokens(model, text, tokenizer) : text));
  }
  const sizes = texts.map(text => ({
    bytes: Buffer.byteLength(text),
    tokens: Math.min(estimateTokens(text), maxTokensPerText ?? Number.POSITIVE_INFINITY),
  }));
  const vectors: Buffer[] = [];
  let tokens = 0;
  let latencyMs: number | undefined;
  const packs = packTexts(sizes, limits, texts.length);
  for (const pack of packs) {
    const startedMs = clock.now();
    const reply = await provider.embed({ texts: pack.map(position => texts[position] ?? ''), deadlineMs });
    latencyMs ??= clock.now() - startedMs;
    tokens += reply.tokens ?? pack.reduce((sum, position) => sum + (sizes[position]?.tokens ?? 0), 0);
    vectors.push(...requireVectors(reply, model, pack.length));
  }
  return { vectors, tokens, latencyMs: latencyMs ?? 0, calls: packs.length };
}

async function compareGolden(
  golden: GoldenStore,
  model: ModelDefinition,
  vectors: readonly Buffer[],
): Promise<Pick<ModelCheck, 'cosine' | 'golden' | 'problem'>> {
  const key = goldenKeyOf(model);
  const record = await golden.find(key);
  if (record === undefined) {
    await golden.insert(key, model.alias, vectors);
    return { cosine: null, golden: 'recorded' };
  }
  const cosines = vectors.map((vector, position) =>
    cosineOf(vector, record.vectors[position] ?? Buffer.alloc(0)),
  );
  const cosine = Math.min(...cosines);
  if (cosine >= LEAST_COSINE) {
    await golden.confirm(key);
    return { cosine, golden: 'compared' };
  }
  return { cosine, golden: 'compared', problem: describeMismatch(cosines, record.recordedAt) };
}

function describeMismatch(cosines: readonly number[], recordedAt: string): CheckProblem {
  const differing = cosines.flatMap((cosine, position) => (cosine < LEAST_COSINE ? [position + 1] : []));
  const onlyLongest = differing.length === 1 && differing[0] === cosines.length;
  const cause = onlyLongest
    ? 'Only the text over the limit differs: it is cut elsewhere now'
    : `Texts ${differing.join(', ')} of ${cosines.length} differ: ` +
      'other weights, another pooling or another prefix';
  const lowest = Math.min(...cosines).toFixed(4);
  return {
    code: 'golden_mismatch',
    message:
      `The model no longer gives the vectors that were recorded ${recordedAt.slice(0, 19)}: ` +
      `cosine ${lowest} where ${LEAST_COSINE} is the least. ${cause}. ` +
      'Serve the former weights again, or name the new ones: stored vectors are then made anew.',
    key: 'revision',
  };
}

/** Describes a failure. What the configuration can mend is described with its key. */
function describeProblem({ endpointName }: ModelDefinition, error: unknown): CheckProblem {
  const { code, message } = describeFailure(error);
  const key = KEYS.find(([pattern]) => pattern.test(code))?.[1];
  if (key === undefined) return { code, message };
  return { code, message, key: key === 'baseUrl' && endpointName !== undefined ? 'endpointName' : key };
}

const KEYS: readonly (readonly [RegExp, ModelKey])[] = [
  [/^(wrong_dimensions|parameter_dimensions)$/, 'dimensions'],
  [/^invalid_vector$/, 'normalized'],
  [/^(model_not_found|wrong_model|parameter_model|embeddings_unsupported)$/, 'modelId'],
  [/^(not_found|redirect|forbidden_address|network_(econnrefused|enotfound)|foreign_\d+)$/, 'baseUrl'],
];
