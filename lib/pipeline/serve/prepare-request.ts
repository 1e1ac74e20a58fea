import type { InputRole, ModelDefinition } from '../../core/model.ts';
import { estimateTokens } from '../../core/packing.ts';
import { ServiceRefusal } from '../../core/service-refusal.ts';
import { cleanText, fingerprintText } from '../../core/text.ts';
import type { EmbeddingLimits, Tokenizer } from '../../ports/provider.ts';
import type { SizedText } from './waiting-texts.ts';

/** Texts of one request, at most: those of OpenAI's API. */
const MAX_TEXTS_PER_REQUEST = 2048;

interface AskedTexts {
  readonly texts: readonly string[];
  readonly role: InputRole | undefined;
  readonly truncate: boolean;
}

/**
 * Prepares the texts of a request as a row's text is prepared: cleaned, with the model's prefix.
 * A query and a document with equal words therefore meet as the vectors that are stored.
 * @throws ServiceRefusal for an empty list, an empty text, too many texts, or a text over the
 *   model's limit that is not to be cut
 */
export async function prepareRequest(
  { texts, role, truncate }: AskedTexts,
  model: ModelDefinition,
  limits: EmbeddingLimits,
  tokenizer: Tokenizer,
): Promise<readonly SizedText[]> {
  if (texts.length === 0)
    throw new ServiceRefusal('invalid_request', 'The list of texts is empty: expected at least one.', {
      param: '',
    });
  if (texts.length > MAX_TEXTS_PER_REQUEST)
    throw new ServiceRefusal(
      'batch_too_large',
      `The request has ${texts.length} texts; at most ${MAX_TEXTS_PER_REQUEST} are taken at once.`,
    );
  const prefix = prefixOf(model, role);
  const sized: SizedText[] = [];
  for (const [position, given] of texts.entries()) {
    const text = cleanText(given);
    if (text === '')
      throw new ServiceRefusal('invalid_request', `Text ${position} is empty: expected a text with words.`, {
        param: String(position),
      });
    const kept = await fitText(prefix, text, { position, truncate, model, limits, tokenizer });
    const sent = prefix + kept;
    sized.push({
      key: `${model.alias} ${role === 'query' ? 'query' : 'document'} ${fingerprintText(sent)}`,
      text: sent,
      role: role ?? 'document',
      bytes: Buffer.byteLength(sent),
      tokens: Math.max(1, Math.min(estimateTokens(sent), model.maxTokensPerText ?? Number.POSITIVE_INFINITY)),
    });
  }
  return sized;
}

function prefixOf(model: ModelDefinition, role: InputRole | undefined): string {
  if (role === undefined) return '';
  return role === 'query' ? model.queryPrefix : model.documentPrefix;
}

/** By how much an estimate of tokens can be too high, for any script. */
const ESTIMATE_ERROR = 2;

interface Fitting {
  readonly position: number;
  readonly truncate: boolean;
  readonly model: ModelDefinition;
  readonly limits: EmbeddingLimits;
  readonly tokenizer: Tokenizer;
}

/**
 * Cuts a text to the model's limit, or refuses it where it must not be cut.
 * A text has at most as many tokens as bytes, so that most texts need no count. Where the
 * provider's own tokenizer decides, it cuts; a text is refused only where even half of the estimate
 * is over.
 */
async function fitText(prefix: string, text: string, fitting: Fitting): Promise<string> {
  const { model, limits, tokenizer, truncate } = fitting;
  const { maxTokensPerText: most } = model;
  if (most === undefined || Buffer.byteLength(prefix) + Buffer.byteLength(text) <= most) return text;
  if (limits.tokenization === 'server') {
    const least = Math.ceil(estimateTokens(prefix + text) / ESTIMATE_ERROR);
    if (!truncate && least > most) throw tooLong(fitting, `at least ${least}`);
    return text;
  }
  const available = most - (prefix === '' ? 0 : await tokenizer.count(prefix));
  const cut = await tokenizer.truncate(text, available);
  if (cut.text === text || truncate) return cut.text;
  throw tooLong(fitting, String(await tokenizer.count(text)));
}

function tooLong({ position, model }: Fitting, tokens: string): ServiceRefusal {
  return new ServiceRefusal(
    'text_too_long',
    `Text ${position} has ${tokens} tokens; model "${model.alias}" takes ${model.maxTokensPerText}. ` +
      'Shorten it, or send "truncate": true to have it cut.',
    { param: String(position) },
  );
}
