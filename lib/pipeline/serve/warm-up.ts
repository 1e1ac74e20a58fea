import type { ModelDefinition } from '../../core/model.ts';
import { requireVectors } from '../../core/reply.ts';
import type { Clock } from '../../ports/process.ts';
import type { EmbeddingProvider, Tokenizer } from '../../ports/provider.ts';
import type { GoldenStore } from '../../ports/report-store.ts';
import { checkModel } from '../check-model.ts';
import { describeFailure } from '../failures.ts';

interface WarmUpPorts {
  readonly provider: EmbeddingProvider;
  readonly tokenizer: Tokenizer;
  /** The recorded vectors that the model's are compared with. */
  readonly golden: GoldenStore;
  readonly clock: Clock;
}

/** Tokens of the texts of each length class: servers prepare memory and kernels by length. */
const LENGTH_CLASSES = [4, 32, 128, 512] as const;
const WORDS_PER_TOKEN = 'harbour ';
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30_000;

/**
 * Warms a model up until it is fit to serve, and tells after each try what was found.
 * Each length class is embedded once, and the golden vectors are compared with the recorded ones: a
 * service with other weights than those of the stored vectors never becomes ready. A model that
 * fails is tried again, because its server may be starting. Ends when `signal` aborts.
 */
export async function warmUpModel(
  ports: WarmUpPorts,
  model: ModelDefinition,
  deadlineMs: number,
  told: { readonly signal: AbortSignal; readonly found: (code: string | undefined, message: string) => void },
): Promise<void> {
  for (let waitMs = FIRST_WAIT_MS; !told.signal.aborted; waitMs = Math.min(LONGEST_WAIT_MS, waitMs * 2)) {
    const problem = await tryModel(ports, model, deadlineMs);
    if (told.signal.aborted) return;
    told.found(problem?.code, problem?.message ?? '');
    if (problem === undefined) return;
    await ports.clock.sleep(waitMs, told.signal);
  }
}

async function tryModel(
  ports: WarmUpPorts,
  model: ModelDefinition,
  deadlineMs: number,
): Promise<{ readonly code: string; readonly message: string } | undefined> {
  try {
    for (const tokens of LENGTH_CLASSES) {
      if (tokens > (model.maxTokensPerText ?? Number.POSITIVE_INFINITY)) continue;
      const texts = [model.documentPrefix + WORDS_PER_TOKEN.repeat(tokens / 2).trim()];
      requireVectors(await ports.provider.embed({ texts, deadlineMs }), model, texts.length);
    }
    const { problem } = await checkModel(ports, model, deadlineMs);
    return problem;
  } catch (error) {
    return describeFailure(error);
  }
}
