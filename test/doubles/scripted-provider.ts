import { FreshetError } from '../../lib/core/errors.ts';
import type { FailureClass } from '../../lib/core/model.ts';
import type {
  EmbeddingLimits,
  EmbeddingProvider,
  EmbedReply,
  EmbedRequest,
} from '../../lib/ports/provider.ts';

export interface ScriptedProvider extends EmbeddingProvider {
  readonly requests: EmbedRequest[];
  /** What it does next, and from then on; replaced at will. */
  script: (request: EmbedRequest, callNumber: number) => EmbedReply | Promise<EmbedReply>;
}

export const DIMENSIONS = 4;

export function createScriptedProvider(
  script: ScriptedProvider['script'] = embedAll,
  limits: Partial<EmbeddingLimits> = {},
): ScriptedProvider {
  const requests: EmbedRequest[] = [];
  const provider: ScriptedProvider = {
    requests,
    script,
    limits: {
      maxTextsPerCall: 2048,
      maxTokensPerCall: 1_000_000,
      maxBytesPerCall: 10_000_000,
      tokenization: 'local',
      ...limits,
    },
    async embed(request) {
      requests.push(request);
      return provider.script(request, requests.length);
    },
  };
  return provider;
}

/** A unit vector that depends on the text. */
export function vectorOf(text: string): Buffer {
  let sum = 7;
  for (const character of text) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 10_007;
  const angle = (sum / 10_007) * Math.PI * 2;
  const vector = Buffer.alloc(DIMENSIONS * 4);
  vector.writeFloatLE(Math.cos(angle), 0);
  vector.writeFloatLE(Math.sin(angle), 4);
  return vector;
}

export function embedAll({ texts }: EmbedRequest): EmbedReply {
  const items = texts.map((text, index) => ({ index, bytes: vectorOf(text) }));
  return { items, tokens: texts.length * 10, requestId: 'request' };
}

export function failWith(failureClass: FailureClass, code: string, retryAfterMs?: number): never {
  throw new FreshetError(`scripted ${code}`, { failureClass, code, retryAfterMs });
}
