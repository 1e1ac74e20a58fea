import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { Tokenizer } from '@huggingface/tokenizers';
import {
  cutTokens,
  findFrame,
  normalizeEach,
  type Pooling,
  padTokens,
  poolTokens,
} from '../../core/sentence-vectors.ts';
import type { Runtime } from './runtime.ts';

// The process in which a sentence model runs. It is started by `inference.ts` and by nobody else.

/** What the process is told first: the model, and the package that runs it. */
export interface ModelToOpen {
  readonly runtime: Runtime;
  /** The files of the model: path on this machine → SHA-256, hexadecimal. */
  readonly digests: Readonly<Record<string, string>>;
  readonly modelFile: string;
  readonly tokenizerFile: string;
  readonly maxTokensPerText: number;
  readonly pooling: Pooling;
  readonly isNormalized: boolean;
}

export type ToInference =
  | { readonly open: ModelToOpen }
  | { readonly id: number; readonly texts: readonly string[] };

/** Why the model cannot be opened; the text names files and never what they hold. */
export interface UnusableModel {
  readonly code: 'model_file' | 'model_unusable';
  readonly what: string;
}

export type FromInference =
  | { readonly opened: true }
  | { readonly unusable: UnusableModel }
  | { readonly id: number; readonly vectors: Float32Array; readonly tokens: number }
  | { readonly id: number; readonly failed: true };

/** What the packages that run ONNX models have in common, as far as it is used. */
interface Onnx {
  readonly env: { readonly wasm?: { numThreads?: number } };
  readonly InferenceSession: {
    create(model: string | Uint8Array, options: object): Promise<OnnxSession>;
  };
  readonly Tensor: new (type: 'int64', data: BigInt64Array, shape: readonly number[]) => object;
}

interface OnnxSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  run(inputs: Readonly<Record<string, object>>): Promise<Readonly<Record<string, OnnxOutput>>>;
}

interface OnnxOutput {
  readonly data: unknown;
  readonly dims: readonly number[];
}

type EmbedSlice = (texts: readonly string[]) => Promise<{ vectors: Float32Array; tokens: number }>;

/**
 * One thread a model: two took 1.6 times the processor time a text (16 texts of 26 tokens, 2
 * cores), and the rest of the machine is the database's and the run's.
 */
const SESSION_OPTIONS = { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 4 } as const;

/** Characters of a text that are tokenized for each token of the model's limit, at most. */
const CHARACTERS_PER_TOKEN = 100;

/** What models call the one vector of a text, where they make it themselves. */
const POOLED_OUTPUTS = ['sentence_embedding', 'text_embeds', 'embeddings'];

async function openModel(model: ModelToOpen): Promise<EmbedSlice> {
  for (const [file, expected] of Object.entries(model.digests)) await checkDigest(file, expected);
  const tokenize = await openTokenizer(model);
  const { Tensor, session } = await openSession(model);
  const output = POOLED_OUTPUTS.find(name => session.outputNames.includes(name));
  const read =
    output ?? (session.outputNames.includes('last_hidden_state') ? 'last_hidden_state' : undefined);
  return async texts => {
    const tokenized = texts.map(tokenize.encode);
    const padded = padTokens(tokenized, tokenize.paddingId);
    const shape = [padded.texts, padded.width];
    const all: Readonly<Record<string, BigInt64Array>> = {
      input_ids: padded.ids,
      attention_mask: padded.mask,
      token_type_ids: new BigInt64Array(padded.ids.length),
    };
    const inputs = Object.fromEntries(
      session.inputNames.map(name => [name, new Tensor('int64', all[name]!, shape)]),
    );
    const { data, dims } = (await session.run(inputs))[read ?? session.outputNames[0]!]!;
    const states = data as Float32Array;
    const tokens = tokenized.reduce((sum, { length }) => sum + length, 0);
    if (dims.length === 3) return { vectors: poolTokens(states, padded, model), tokens };
    const vectors = Float32Array.from(states);
    if (model.isNormalized) normalizeEach(vectors, vectors.length / padded.texts);
    return { vectors, tokens };
  };
}

async function openTokenizer({ tokenizerFile, maxTokensPerText }: ModelToOpen) {
  const described = JSON.parse(await readFile(tokenizerFile, 'utf8'));
  const tokenizer = new Tokenizer(described, {});
  const encodeAsIs = (text: string) => tokenizer.encode(text).ids;
  const lowersCase = ['A', 'Σ'].every(
    letter => String(encodeAsIs(letter)) === String(encodeAsIs(letter.toLowerCase())),
  );
  // The package lowers a sigma that ends a word to `ς`; the reference lowers each letter by itself.
  const idsOf = (text: string) => encodeAsIs(lowersCase ? text.replaceAll('Σ', 'σ') : text);
  const { after } = findFrame(idsOf(''), idsOf('a'));
  const padding: unknown = described.padding?.pad_id;
  const named = ['[PAD]', '<pad>'].map(token => tokenizer.token_to_id(token)).find(id => id !== undefined);
  const most = maxTokensPerText * CHARACTERS_PER_TOKEN;
  return {
    paddingId: typeof padding === 'number' ? padding : (named ?? 0),
    encode: (text: string) =>
      cutTokens(
        idsOf(text.length > most ? text.slice(0, most).toWellFormed() : text),
        maxTokensPerText,
        after,
      ),
  };
}

async function openSession({ runtime, modelFile }: ModelToOpen) {
  const imported: { readonly default?: Onnx } & Onnx = await import(pathToFileURL(runtime.entry).href);
  const { env, InferenceSession, Tensor } = imported.default ?? imported;
  if (env.wasm !== undefined) env.wasm.numThreads = 1;
  // The package for browsers takes an address or bytes, and no path.
  const weights = runtime.name === 'onnxruntime-web' ? await readFile(modelFile) : modelFile;
  const session = await InferenceSession.create(weights, SESSION_OPTIONS);
  const known = ['input_ids', 'attention_mask', 'token_type_ids'];
  const others = session.inputNames.filter(name => !known.includes(name));
  if (others.length > 0 || !session.inputNames.includes('input_ids'))
    throw new Unusable('model_unusable', `${modelFile} is no sentence model: its inputs are others.`);
  return { Tensor, session };
}

class Unusable extends Error {
  readonly unusable: UnusableModel;
  constructor(code: UnusableModel['code'], what: string) {
    super(what);
    this.unusable = { code, what };
  }
}

async function checkDigest(file: string, expected: string): Promise<void> {
  const digester = createHash('sha256');
  try {
    for await (const piece of createReadStream(file)) digester.update(piece);
  } catch (error) {
    throw new Unusable('model_file', `${file} cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
  const found = digester.digest('hex');
  if (found === expected) return;
  const digests = `SHA-256 ${found.slice(0, 12)}…, not ${expected.slice(0, 12)}…`;
  throw new Unusable('model_file', `${file} is not the file that the configuration names (${digests}).`);
}

const send = (message: FromInference) => process.send?.(message, () => undefined);

// Ctrl-C reaches every process of the terminal; the one that started this one decides what ends.
process.on('SIGINT', () => undefined);
// An ordinary exit in the middle of inference aborts with a core dump: this ends at once.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));

let embedSlice: EmbedSlice | undefined;
let last: Promise<void> = Promise.resolve();

process.on('message', (message: ToInference) => {
  last = last.then(() => answer(message));
});

async function answer(message: ToInference): Promise<void> {
  if ('open' in message) {
    try {
      embedSlice = await openModel(message.open);
      send({ opened: true });
    } catch (error) {
      const what = `${message.open.modelFile} cannot be loaded by ${message.open.runtime.name}.`;
      send({ unusable: error instanceof Unusable ? error.unusable : { code: 'model_unusable', what } });
    }
    return;
  }
  try {
    send({ id: message.id, ...(await embedSlice!(message.texts)) });
  } catch {
    // What a runtime says of a failure can hold a text.
    send({ id: message.id, failed: true });
  }
}
