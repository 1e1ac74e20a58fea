import { join } from 'node:path';
import { FreshetError } from '../../core/errors.ts';
import type { ModelDefinition } from '../../core/model.ts';
import { estimateTokens } from '../../core/packing.ts';
import type { Clock } from '../../ports/process.ts';
import type { EmbeddingLimits, EmbeddingProvider, EmbedReply } from '../../ports/provider.ts';
import { createInference, type Inference } from '../local/inference.ts';
import { findModelFolder } from '../local/model-files.ts';
import { findRuntime } from '../local/runtime.ts';
import { assertWithinLimits, chooseLimits, withinDeadline } from './json-provider.ts';

const LIMITS: EmbeddingLimits = {
  maxTextsPerCall: 2_048,
  maxTokensPerCall: 1_000_000,
  maxBytesPerCall: 4 * 1024 * 1024,
  tokenization: 'server',
};

/** A call holds few texts, so that calls of several workers take turns, and a deadline is kept. */
const USUAL_LIMITS: EmbeddingLimits = { ...LIMITS, maxTextsPerCall: 128, maxTokensPerCall: 16_384 };

/**
 * Texts and tokens of a slice, at most, padding included.
 * A deadline, Ctrl-C and a drain wait for no more than this; it takes a MiniLM 0.1 s. 16 texts of 5
 * tokens cost it 0.85 ms of CPU each and 64 of them 0.71; 4 texts of 256 tokens cost 47.8 ms each
 * and 2 of them 43.8.
 */
const SLICE_TEXTS = 64;
const SLICE_TOKENS = 512;

/** The tokens of a text that is cut where nothing says at how many. */
const ASSUMED_MAX_TOKENS = 512;

/** What a model is opened with. */
interface Places {
  readonly hubUrl: string;
  readonly cacheFolder: string;
  readonly directory: string;
  /** Where the package that runs models is looked for; undefined: the usual places. */
  readonly runtimeFolders?: readonly string[];
}

/**
 * Opens a sentence model that runs on this machine, from files in the format ONNX.
 * Files that are missing are downloaded first. The model itself is loaded at the first call.
 * @throws UsageError where a file is missing, or the package that runs models
 */
export async function openLocalProvider(
  model: ModelDefinition,
  places: Places,
  clock: Clock,
): Promise<EmbeddingProvider> {
  const runtime = findRuntime(places.runtimeFolders);
  const folder = await findModelFolder(model, places);
  const files = Object.entries(model.files ?? {});
  const fileOf = (end: string) => join(folder, files.find(([path]) => path.endsWith(end))?.[0] ?? end);
  const inference = createInference({
    runtime,
    digests: Object.fromEntries(files.map(([path, sha256]) => [join(folder, path), sha256])),
    modelFile: fileOf('.onnx'),
    tokenizerFile: fileOf('tokenizer.json'),
    maxTokensPerText: model.maxTokensPerText ?? ASSUMED_MAX_TOKENS,
    pooling: model.pooling ?? 'mean',
    isNormalized: model.normalized,
  });
  return createLocalProvider(model, inference, clock);
}

/** Makes the provider of a model that runs in a process of its own. */
function createLocalProvider(model: ModelDefinition, inference: Inference, clock: Clock): EmbeddingProvider {
  const limits = chooseLimits(LIMITS, model, USUAL_LIMITS);
  const most = model.maxTokensPerText ?? ASSUMED_MAX_TOKENS;
  return {
    limits,
    async embed(request) {
      const { texts } = request;
      if (texts.length === 0) return { items: [], tokens: undefined, requestId: undefined };
      assertWithinLimits(texts, limits);
      const endIfSilent = inference.listen();
      try {
        return await withinDeadline(request, clock, signal => embedSlices(inference, texts, most, signal));
      } catch (error) {
        if (error instanceof FreshetError && error.code === 'timeout') endIfSilent();
        throw error;
      }
    },
  };
}

/** Embeds texts slice by slice; whoever gave up is left with the slice that is under way. */
async function embedSlices(
  inference: Inference,
  texts: readonly string[],
  maxTokensPerText: number,
  signal: AbortSignal,
): Promise<EmbedReply> {
  const items: { index: number; bytes: Buffer }[] = [];
  let tokens = 0;
  for (const slice of cutIntoSlices(texts, maxTokensPerText)) {
    signal.throwIfAborted();
    const answer = await inference.embedSlice(slice.map(index => texts[index]!));
    const { buffer, byteOffset, byteLength } = answer.vectors;
    const bytes = byteLength / slice.length;
    tokens += answer.tokens;
    for (const [place, index] of slice.entries())
      items.push({ index, bytes: Buffer.from(buffer, byteOffset + place * bytes, bytes) });
  }
  return { items, tokens, requestId: undefined };
}

/** Lists positions of texts in slices of about equal length: each text costs as the longest. */
function cutIntoSlices(texts: readonly string[], maxTokensPerText: number): readonly (readonly number[])[] {
  const sizes = texts.map(text => Math.min(maxTokensPerText, estimateTokens(text)));
  const sorted = texts.map((_, index) => index).sort((one, other) => sizes[one]! - sizes[other]!);
  const slices: number[][] = [];
  for (const index of sorted) {
    const slice = slices.at(-1);
    const isFull =
      slice === undefined || slice.length >= SLICE_TEXTS || (slice.length + 1) * sizes[index]! > SLICE_TOKENS;
    if (isFull) slices.push([index]);
    else slice.push(index);
  }
  return slices;
}
