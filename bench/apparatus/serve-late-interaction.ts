import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text as readText } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { Tokenizer } from '@huggingface/tokenizers';
import { findRuntime } from '../../lib/adapters/local/runtime.ts';
import { normalizeEach } from '../../lib/core/sentence-vectors.ts';
import { MODEL_FOLDER, runtimeFolder } from '../../test/local-model/real-model.ts';

/** The vectors of a text's tokens, each of length 1, one behind the other. */
interface TokenVectors {
  readonly vectors: Float32Array;
  readonly count: number;
}

/** Tokens of a text that are compared, with those that the model puts around it. */
const MOST_TOKENS = 128;

/**
 * Serves a reranker in TEI's dialect on the loopback address, made of a sentence model.
 * It is no cross-encoder, since none is to be had here: each token of the query is compared with
 * each of a text, and the nearest ones count, as ColBERT does (late interaction), with the vectors
 * of tokens of all-MiniLM-L6-v2, which nobody trained for that.
 */
export async function serveLateInteraction() {
  const embed = await openTokenVectors();
  const known = new Map<string, Promise<TokenVectors>>();
  const remember = (text: string) => {
    const vectors = known.get(text) ?? embed(text);
    known.set(text, vectors);
    return vectors;
  };
  const server = createServer(async (request, response) => {
    const { query, texts } = JSON.parse(await readText(request)) as { query: string; texts: string[] };
    const asked = await remember(query);
    const scored: { index: number; score: number }[] = [];
    for (const [index, each] of texts.entries())
      scored.push({ index, score: compareTokens(asked, await remember(each)) });
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(scored.sort((a, b) => b.score - a.score)));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/rerank`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** The mean, over the tokens of the query, of the cosine with the nearest token of the text. */
function compareTokens(query: TokenVectors, text: TokenVectors): number {
  const dimensions = query.vectors.length / query.count;
  let sum = 0;
  for (let token = 0; token < query.count; token += 1) {
    let nearest = -1;
    for (let other = 0; other < text.count; other += 1) {
      let cosine = 0;
      for (let place = 0; place < dimensions; place += 1)
        cosine += query.vectors[token * dimensions + place]! * text.vectors[other * dimensions + place]!;
      nearest = Math.max(nearest, cosine);
    }
    sum += nearest;
  }
  return sum / Math.max(1, query.count);
}

interface Session {
  readonly inputNames: readonly string[];
  run(inputs: object): Promise<Readonly<Record<string, { readonly data: Float32Array }>>>;
}

async function openTokenVectors(): Promise<(text: string) => Promise<TokenVectors>> {
  const imported = await import(pathToFileURL(findRuntime([runtimeFolder('native')]).entry).href);
  const { InferenceSession, Tensor } = imported.default ?? imported;
  const session: Session = await InferenceSession.create(join(MODEL_FOLDER, 'model.onnx'), {
    ...{ intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 4 },
  });
  const described = JSON.parse(readFileSync(join(MODEL_FOLDER, 'tokenizer.json'), 'utf8'));
  const tokenizer = new Tokenizer(described, {});
  return async text => {
    const ids = tokenizer.encode(text).ids.slice(0, MOST_TOKENS);
    const shape = [1, ids.length];
    const all: Readonly<Record<string, BigInt64Array>> = {
      input_ids: BigInt64Array.from(ids, BigInt),
      attention_mask: new BigInt64Array(ids.length).fill(1n),
      token_type_ids: new BigInt64Array(ids.length),
    };
    const inputs = session.inputNames.map(name => [name, new Tensor('int64', all[name], shape)]);
    const { last_hidden_state: states } = await session.run(Object.fromEntries(inputs));
    const dimensions = states!.data.length / ids.length;
    // Without the first and the last, which stand around every text.
    const vectors = states!.data.slice(dimensions, -dimensions);
    normalizeEach(vectors, dimensions);
    return { vectors, count: ids.length - 2 };
  };
}
