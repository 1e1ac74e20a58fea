import * as z from 'zod';
import { wholeNumber, word } from './leaf-schemas.ts';

const dialects = ['tei', 'cohere', 'voyage'] as const;

/** A server that orders the hits of a search anew by comparing their texts with the query. */
export const rerankerSection = z
  .strictObject(
    {
      /** How it is spoken to. Jina and most others speak as Cohere does. */
      dialect: z.enum(dialects, { error: `expected one of ${dialects.join(', ')}` }),
      /** The whole address, with its path. */
      url: word('expected a URL such as https://api.cohere.com/v2/rerank'),
      model: word('expected the name that the server gives its model').optional(),
      /** The variable that holds the key. Undefined: none is sent. */
      key: z
        .strictObject(
          { env: word("expected the name of a variable, such as 'COHERE_API_KEY'") },
          { error: "expected { env: 'NAME' }: the key is read from that variable, and stands nowhere else" },
        )
        .optional(),
      /** Whether plain http is taken on a private network, where texts travel readable. */
      allowHttp: z.boolean({ error: 'expected true or false' }).optional(),
      /** How long a search waits; after it, the answer comes as it was without the reranker. */
      timeoutMs: wholeNumber(1, 60_000).default(2000),
      maxTexts: wholeNumber(1, 1000).default(100),
      /** Characters of a text that are sent. */
      maxCharacters: wholeNumber(1, 1_000_000).default(4000),
    },
    { error: "expected an object such as { dialect: 'tei', url: 'http://127.0.0.1:8081/rerank' }" },
  )
  .refine(({ dialect, model }) => dialect === 'tei' || model !== undefined, {
    path: ['model'],
    error: 'expected the name of a model: servers of this dialect have several',
  });

export type RerankerSection = z.output<typeof rerankerSection>;
