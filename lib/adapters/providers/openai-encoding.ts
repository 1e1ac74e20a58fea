import { FreshetError } from '../../core/errors.ts';
import type { ModelDefinition } from '../../core/model.ts';
import type { JsonAnswer, JsonRequest } from '../network/post-json.ts';

/** How a model's vectors are asked for. */
interface Encoding {
  /** The fields that ask for it, in a body. */
  fields(): { readonly encoding_format?: 'base64' | 'float' };
  /** Sends a request, once more without the parameter where the server refuses base64. */
  send<Answer extends JsonAnswer>(
    request: JsonRequest,
    sendOnce: (request: JsonRequest) => Promise<Answer>,
  ): Promise<Answer>;
}

/**
 * Decides how the vectors of one model are asked for, and remembers what its server refuses.
 * Base64 is a third of the bytes of floats, and not every server has it. Without the parameter
 * every server answers floats, also one that does not know the parameter. What a server answers is
 * read as it comes.
 * @param configured undefined: base64, and nothing once the server refuses that
 */
export function createEncoding(configured: ModelDefinition['encodingFormat']): Encoding {
  let chosen = configured ?? 'base64';
  let isProven = false;
  return {
    fields: () => (chosen === 'omit' ? {} : { encoding_format: chosen }),
    async send(request, sendOnce) {
      const asksBase64 = (request.body as { encoding_format?: unknown }).encoding_format === 'base64';
      if (configured !== undefined || !asksBase64) return sendOnce(request);
      try {
        const answer = await sendOnce(request);
        isProven = true;
        return answer;
      } catch (error) {
        const blame = blameOf(error);
        if (blame === 'none' || (blame === 'possible' && isProven)) throw error;
        const answer = await sendOnce(omitEncoding(request)).catch((failure: unknown) => {
          // What the server says of the parameter alone is known: what else it says is the answer.
          if (blame === 'certain') chosen = 'omit';
          throw failure;
        });
        chosen = 'omit';
        return answer;
      }
    },
  };
}

function omitEncoding(request: JsonRequest): JsonRequest {
  const { encoding_format: _, ...body } = request.body as { readonly encoding_format?: unknown };
  return { ...request, body, parameters: request.parameters.filter(name => name !== 'encoding_format') };
}

/**
 * Whether a refusal can be about `encoding_format`.
 * A 400 or 422 without a known word can be about anything, also where it names the parameter: some
 * answers echo the whole request. It counts only until the server has answered base64 once.
 */
function blameOf(error: unknown): 'none' | 'possible' | 'certain' {
  if (!(error instanceof FreshetError)) return 'none';
  if (error.code === 'parameter_encoding_format') return 'certain';
  return /^(http|foreign)_(400|422)$/.test(error.code) ? 'possible' : 'none';
}
