import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FreshetError } from '../../core/errors.ts';
import type { ModelDefinition } from '../../core/model.ts';
import { PROVIDERS } from '../../core/providers.ts';
import { createStaticEmbedder } from '../../core/static-vectors.ts';
import type { EmbeddingLimits, EmbeddingProvider, EmbedReply } from '../../ports/provider.ts';
import { chooseLimits } from './json-provider.ts';

/**
 * Small calls, because the process does nothing else meanwhile.
 * A thousand short texts take about 20 ms, and a megabyte about half a second.
 */
const LIMITS: EmbeddingLimits = {
  maxTextsPerCall: 2_000,
  maxTokensPerCall: 1_000_000,
  maxBytesPerCall: 4 * 1024 * 1024,
  tokenization: 'server',
};

type Embed = ReturnType<typeof createStaticEmbedder>;

/**
 * Makes a provider that looks the tokens of a text up in a table that comes with the package.
 * It knows meaning without a network and a key, and its vectors are the same on every machine. A
 * text without a known token is excluded. The table is read at the first call, and its digests are
 * checked then.
 * @param root the folder that `models/` is searched in and above; only tests give another
 */
export function createStaticProvider(
  model: ModelDefinition,
  root: string = import.meta.dirname,
): EmbeddingProvider {
  let opened: Promise<Embed> | undefined;
  return {
    limits: chooseLimits(LIMITS, model),
    async embed({ texts }) {
      opened ??= openTable(root).catch(error => {
        opened = undefined;
        throw error;
      });
      return embedTexts(await opened, texts);
    },
  };
}

function embedTexts(embed: Embed, texts: readonly string[]): EmbedReply {
  const items: { index: number; bytes: Buffer }[] = [];
  const excluded: { index: number; reason: 'unknown-words' }[] = [];
  let sum = 0;
  for (const [index, text] of texts.entries()) {
    const { vector, tokens } = embed(text);
    sum += tokens;
    if (vector === undefined) excluded.push({ index, reason: 'unknown-words' });
    else items.push({ index, bytes: vector });
  }
  return { items, excluded, tokens: sum, requestId: undefined };
}

async function openTable(root: string): Promise<Embed> {
  const { folder, dimensions } = PROVIDERS.static.onlyModel!;
  const place = findFolder(join('models', folder), root);
  const [vocabulary, weights] = await Promise.all([
    readChecked(place, 'vocab.txt'),
    readChecked(place, 'weights.bin'),
  ]);
  return createStaticEmbedder(dimensions, vocabulary.toString('utf8'), weights);
}

/**
 * Finds a folder of the package from where this code lies.
 * The code lies below the checkout or the package, in a bundle of either, or in a function's asset;
 * all of them have the folder at their top.
 */
function findFolder(wanted: string, start: string): string {
  for (let folder = start; ; folder = dirname(folder)) {
    const place = join(folder, wanted);
    if (existsSync(place)) return place;
    if (dirname(folder) === folder) throw unusableFile(wanted, `is in no folder from ${start} upwards`);
  }
}

async function readChecked(folder: string, name: 'vocab.txt' | 'weights.bin'): Promise<Buffer<ArrayBuffer>> {
  const file = join(folder, name);
  const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    throw unusableFile(file, `cannot be read (${error.code})`);
  });
  const expected = PROVIDERS.static.onlyModel!.files[name];
  const found = createHash('sha256').update(bytes).digest('hex');
  if (found === expected) return bytes;
  const digests = `SHA-256 ${found.slice(0, 12)}…, not ${expected.slice(0, 12)}…`;
  throw unusableFile(file, `is not the file that this version came with (${digests})`);
}

function unusableFile(file: string, what: string): FreshetError {
  return new FreshetError(
    `The table of the model 'static' cannot be used: ${file} ${what}. Install the package again, or in a ` +
      'clone run: git checkout -- models',
    { failureClass: 'stop', code: 'model_file' },
  );
}
