import type { RerankerSection } from '../../core/config/reranker-schema.ts';
import { FreshetError, UsageError } from '../../core/errors.ts';
import type { Clock } from '../../ports/process.ts';
import type { KeySource } from '../../ports/provider.ts';
import type { Reranker } from '../../ports/reranker.ts';
import { parseOutboundUrl } from '../network/addresses.ts';
import type { Network } from '../network/open-network.ts';
import { postJson } from '../network/post-json.ts';
import { callWithKey, withinDeadline } from '../providers/json-provider.ts';

/** How one kind of server names what all of them take and give. */
interface RerankDialect {
  composeBody(model: string | undefined, query: string, texts: readonly string[]): object;
  /** Finds the list of scores in an answer, and the field of a score in it. */
  readonly list: 'results' | 'data' | undefined;
  readonly score: 'score' | 'relevance_score';
}

const DIALECTS: Readonly<Record<RerankerSection['dialect'], RerankDialect>> = {
  tei: {
    composeBody: (_, query, texts) => ({ query, texts, raw_scores: false, truncate: true }),
    list: undefined,
    score: 'score',
  },
  cohere: {
    composeBody: (model, query, documents) => ({ model, query, documents, top_n: documents.length }),
    list: 'results',
    score: 'relevance_score',
  },
  voyage: {
    composeBody: (model, query, documents) => ({
      ...{ model, query, documents, top_k: documents.length },
      truncation: true,
    }),
    list: 'data',
    score: 'relevance_score',
  },
};

/** An answer names each text by its place and repeats none of them. */
const ANSWER_BYTES_PER_TEXT = 400;
/** Some servers give the texts back, whether asked to or not. */
const BYTES_PER_CHARACTER = 6;

/**
 * Makes the reranker of a server with `/rerank`: TEI's, Cohere's and Jina's, or Voyage's.
 * One call scores all texts of a search within the deadline. Nothing is tried again: a search that
 * waits is worse than one that says it went without.
 * @throws UsageError for an address that cannot be used
 */
export function createReranker(
  name: string,
  section: RerankerSection,
  access: { readonly key: KeySource | undefined },
  network: Network,
  clock: Clock,
): Reranker {
  const { dialect, model, timeoutMs, maxTexts, maxCharacters, allowHttp } = section;
  const refuse = (what: string) =>
    new UsageError(
      `rerankers.${name}.url ${what}. Give the whole address, as https://api.cohere.com/v2/rerank.`,
    );
  const url = parseOutboundUrl(section.url, refuse, { allowHttp }).href;
  const { composeBody, list, score } = DIALECTS[dialect];
  return {
    maxTexts,
    maxCharacters,
    score: (query, texts, signal) =>
      withinDeadline({ deadlineMs: timeoutMs, signal }, clock, async ended => {
        const { json } = await callWithKey(access.key, key =>
          postJson(network, url, {
            ...{ body: composeBody(model, query, texts), parameters: [], key, signal: ended },
            maxAnswerBytes: texts.length * (ANSWER_BYTES_PER_TEXT + BYTES_PER_CHARACTER * maxCharacters),
            ...{ dialect: 'http', nowMs: clock.now },
          }),
        );
        return readScores(list === undefined ? json : Object(json)[list], score, texts.length);
      }),
  };
}

/**
 * Reads one finite score for each text; servers list them in an order of their own.
 * @throws FreshetError where a text has none, or two
 */
function readScores(entries: unknown, field: RerankDialect['score'], count: number): readonly number[] {
  const scores = new Map<number, number>();
  for (const entry of Array.isArray(entries) ? (entries as unknown[]) : []) {
    const { index, [field]: score } = Object(entry) as Record<string, unknown>;
    const isPlace = typeof index === 'number' && Number.isInteger(index) && index >= 0 && index < count;
    if (!isPlace || scores.has(index) || typeof score !== 'number' || !Number.isFinite(score)) break;
    scores.set(index, score);
  }
  if (!Array.isArray(entries) || entries.length !== count || scores.size !== count)
    throw new FreshetError('The reranker answered something that is no score for each text.', {
      ...{ failureClass: 'transient', code: 'invalid_reply' },
    });
  return Array.from({ length: count }, (_, place) => scores.get(place)!);
}
