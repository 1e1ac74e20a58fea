import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const WORDS = [
  '[PAD]',
  '[UNK]',
  '[CLS]',
  '[SEP]',
  'a',
  'boat',
  'harbour',
  'sea',
  'crash',
  'fail',
  'slow',
  'hang',
];

/** A tokenizer of whole words that fixes padding and truncation, as the file of all-MiniLM-L6-v2 does. */
const TOKENIZER = {
  version: '1.0',
  truncation: { direction: 'Right', max_length: 128, strategy: 'LongestFirst', stride: 0 },
  padding: { strategy: { Fixed: 128 }, direction: 'Right', pad_id: 0, pad_type_id: 0, pad_token: '[PAD]' },
  added_tokens: [],
  normalizer: { type: 'Lowercase' },
  pre_tokenizer: { type: 'Whitespace' },
  post_processor: {
    type: 'TemplateProcessing',
    single: [
      { SpecialToken: { id: '[CLS]', type_id: 0 } },
      { Sequence: { id: 'A', type_id: 0 } },
      { SpecialToken: { id: '[SEP]', type_id: 0 } },
    ],
    pair: [],
    special_tokens: {
      '[CLS]': { id: '[CLS]', ids: [2], tokens: ['[CLS]'] },
      '[SEP]': { id: '[SEP]', ids: [3], tokens: ['[SEP]'] },
    },
  },
  decoder: null,
  model: {
    type: 'WordLevel',
    vocab: Object.fromEntries(WORDS.map((word, id) => [word, id])),
    unk_token: '[UNK]',
  },
};

/**
 * Speaks the interface of onnxruntime-node. A token's vector is four powers of its id, padding is far away from all of them, and the words `crash`, `fail`,
 * `slow` and `hang` (two minutes) do what they say. Each call adds its shape and ids to a file beside the model.
 */
const RUNTIME = `
const { appendFileSync, readFileSync } = require('node:fs');
const { join, dirname } = require('node:path');
class Tensor { constructor(type, data, dims) { Object.assign(this, { type, data, dims }); } }
const InferenceSession = {
  async create(file) {
    if (readFileSync(file, 'utf8') === 'no model') throw new Error('protobuf');
    return {
      inputNames: ['input_ids', 'attention_mask'],
      outputNames: ['last_hidden_state'],
      async run({ input_ids: { data, dims } }) {
        const ids = [...data].map(Number);
        appendFileSync(join(dirname(file), 'calls.jsonl'), JSON.stringify({ dims, ids }) + '\\n');
        if (ids.includes(8)) process.abort();
        if (ids.includes(9)) throw new Error('canary of a text');
        if (ids.includes(10)) await new Promise(resolve => setTimeout(resolve, 300));
        if (ids.includes(11)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 120_000);
        const states = new Float32Array(ids.length * 4);
        ids.forEach((id, place) => {
          for (let power = 0; power < 4; power += 1) states[place * 4 + power] = id === 0 ? 1e6 : ((id - 1) / 10) ** power;
        });
        return { last_hidden_state: { data: states, dims: [...dims, 4] } };
      },
    };
  },
};
module.exports = { env: {}, InferenceSession, Tensor };
`;

export interface OnnxModel {
  readonly folder: string;
  /** File → SHA-256. */
  readonly files: Readonly<Record<string, string>>;
  /** The folder whose `node_modules` hold a runtime. */
  readonly runtimeFolder: string;
  /** The shapes and ids of the calls so far. */
  calls(): readonly { readonly dims: readonly number[]; readonly ids: readonly number[] }[];
  remove(): void;
}

/** Makes a folder with a model of ten words, and a runtime that runs it. */
export function makeOnnxModel(weights = 'weights'): OnnxModel {
  const runtimeFolder = mkdtempSync(join(tmpdir(), 'freshet-onnx-'));
  const runtime = join(runtimeFolder, 'node_modules', 'onnxruntime-node');
  const folder = join(runtimeFolder, 'model');
  mkdirSync(runtime, { recursive: true });
  mkdirSync(folder);
  writeFileSync(
    join(runtime, 'package.json'),
    JSON.stringify({ name: 'onnxruntime-node', main: 'index.js' }),
  );
  writeFileSync(join(runtime, 'index.js'), RUNTIME);
  const contents = { 'model.onnx': weights, 'tokenizer.json': JSON.stringify(TOKENIZER) };
  for (const [name, text] of Object.entries(contents)) writeFileSync(join(folder, name), text);
  const digestOf = (text: string) => createHash('sha256').update(text).digest('hex');
  const log = join(folder, 'calls.jsonl');
  return {
    folder,
    files: Object.fromEntries(Object.entries(contents).map(([name, text]) => [name, digestOf(text)])),
    runtimeFolder,
    calls: () =>
      existsSync(log)
        ? readFileSync(log, 'utf8')
            .trim()
            .split('\n')
            .map(line => JSON.parse(line))
        : [],
    remove: () => rmSync(runtimeFolder, { recursive: true, force: true }),
  };
}
