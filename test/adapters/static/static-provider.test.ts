import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { createStaticProvider } from '../../../lib/adapters/providers/static.ts';
import { PROVIDERS } from '../../../lib/core/providers.ts';
import { validateReply } from '../../../lib/core/reply.ts';
import { sha256Hex } from '../../../lib/core/text.ts';
import { makeModel } from '../../factories/model-definition.ts';

const root = resolve(import.meta.dirname, '../../..');
const table = join(root, 'models/static-minilm');
const { files, folder: _, ...only } = PROVIDERS.static.onlyModel!;
const model = makeModel({ provider: 'static', ...only });
const provider = createStaticProvider(model);

const reader = './reference-reader.mjs';
const reference: {
  embed(text: string): Float32Array<ArrayBuffer>;
  tokenize(text: string): number[];
} = (await import(reader)).loadStatic(table);

/** The vector of a text; undefined where the provider excludes it. */
async function embed(text: string): Promise<Buffer | undefined> {
  const { items } = await provider.embed({ texts: [text], deadlineMs: 1000 });
  return items[0]?.bytes;
}

/** As the reference says, which gives a text without a known token the first unit vector. */
function expectedOf(text: string): Buffer | undefined {
  return reference.tokenize(text).length === 0 ? undefined : Buffer.from(reference.embed(text).buffer);
}

async function similarity(one: string, other: string): Promise<number> {
  const [a, b] = await Promise.all(
    [one, other].map(async text => new Float32Array((await embed(text))!.buffer)),
  );
  return a!.reduce((sum, value, place) => sum + value * b![place]!, 0);
}

/** Pages of 4,096 code points: all of the first 65,536, and those beyond that hold characters of use. */
const PAGES = [...Array.from({ length: 16 }, (_, page) => page), 0x10, 0x1d, 0x1f, 0x20, 0x2f, 0xe0];

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

/** A copy of the table in a folder of its own. */
function copyTable(): string {
  const folder = mkdtempSync(join(tmpdir(), 'freshet-static-'));
  folders.push(folder);
  cpSync(table, join(folder, 'models/static-minilm'), { recursive: true });
  return folder;
}

describe('the static provider', () => {
  it('gives the bytes of the reference reader for every code point that a script has', async () => {
    const texts = PAGES.map(page =>
      Array.from({ length: 0x1000 }, (_, low) => String.fromCodePoint(page * 0x1000 + low)),
    ).flatMap(page => [page.join(' '), page.map(character => `re${character}ading`).join(' ')]);

    const differing: string[] = [];
    for (const [place, text] of texts.entries()) {
      if (Buffer.compare((await embed(text)) ?? Buffer.of(), expectedOf(text) ?? Buffer.of()) !== 0)
        differing.push(`page ${PAGES[Math.floor(place / 2)]}`);
    }

    expect(differing).toEqual([]);
  });

  it('gives the bytes of the reference reader for texts of any kind', async () => {
    const sample = JSON.parse(readFileSync(join(root, 'examples/demo/ai-items.data.json'), 'utf8'));
    for (const [title, summary] of sample.slice(0, 500)) {
      const text = `${title}\n${summary}`;
      expect(await embed(text), title).toEqual(expectedOf(text));
    }
    const written = [
      'Überschwemmung in ΣΊΣΥΦΟΣ, İstanbul',
      '한국어 텍스트',
      '日本 harbour',
      'a'.repeat(100),
      'a'.repeat(101),
      `${'𝒳'.repeat(101)} sea`,
      'lone \ud800 surrogate',
      'soft\u00adhyphen, zero\u200bwidth',
      'ﬁne ①',
    ];
    for (const text of written) expect(await embed(text), text).toEqual(expectedOf(text));
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 60 }), async text => {
        expect(await embed(text)).toEqual(expectedOf(text));
      }),
      { numRuns: 300 },
    );
  });

  it('gives the same bytes on every machine', async () => {
    expect(sha256Hex((await embed('A stream of water, rising: Überschwemmung 洪水'))!)).toBe(
      '49e5c6e3ae14e723229fe31f98cc11654045e82390c6bcae94b6289f548676c6',
    );
  });

  it('finds meaning, and not wording alone', async () => {
    const text = 'a feeling of great happiness';

    expect(await similarity(text, 'joy')).toBeGreaterThan(0.4);
    expect(await similarity(text, 'joy')).toBeGreaterThan(await similarity(text, 'a feeling of the surface'));
  });

  it('excludes texts of which it knows no word, and embeds the others of the call', async () => {
    const texts = ['a boat', '한국어 텍스트', '', 'a harbour'];

    const reply = await provider.embed({ texts, deadlineMs: 1000 });

    expect(reply.items.map(({ index }) => index)).toEqual([0, 3]);
    expect(reply.excluded).toEqual([
      { index: 1, reason: 'unknown-words' },
      { index: 2, reason: 'unknown-words' },
    ]);
    const checked = validateReply(reply, { count: 4, dimensions: 192, normalized: true });
    expect(checked.invalid).toEqual([]);
    expect(reply.tokens).toBe(4);
  });

  it('keeps no text from another: the vector depends on the text alone', async () => {
    const texts = ['b sea', 'a boat', 'b sea'];

    const { items } = await provider.embed({ texts, deadlineMs: 1000 });

    expect(items[0]?.bytes).toEqual(items[2]?.bytes);
    expect(items[1]?.bytes).toEqual(await embed('a boat'));
  });

  it.each(['weights.bin', 'vocab.txt'] as const)(
    'refuses another %s than it came with, and says the remedy',
    async name => {
      const folder = copyTable();
      const file = join(folder, 'models/static-minilm', name);
      const original = readFileSync(file);
      const bytes = Buffer.from(original);
      bytes[Math.floor(bytes.length / 2)]! ^= 1;
      writeFileSync(file, bytes);
      const other = createStaticProvider(model, folder);

      await expect(other.embed({ texts: ['a boat'], deadlineMs: 1000 })).rejects.toMatchObject({
        ...{ failureClass: 'stop', code: 'model_file' },
        message: expect.stringMatching(new RegExp(`${name}.*SHA-256.*git checkout`)),
      });
      writeFileSync(file, original);
      expect((await other.embed({ texts: ['a boat'], deadlineMs: 1000 })).items).toHaveLength(1);
    },
  );

  it('says where it looked where the table is missing', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'freshet-static-'));
    folders.push(folder);

    const missing = createStaticProvider(model, folder).embed({ texts: ['a boat'], deadlineMs: 1000 });

    await expect(missing).rejects.toMatchObject({
      code: 'model_file',
      message: expect.stringContaining(`models/static-minilm is in no folder from ${folder} upwards`),
    });
  });

  it('has the model that lies beside its provenance', () => {
    const described = JSON.parse(readFileSync(join(table, 'model.json'), 'utf8'));

    expect(described).toMatchObject({
      ...{ name: only.modelId, dimensions: only.dimensions },
      weights: { sha256: files['weights.bin'] },
      vocabulary: { sha256: files['vocab.txt'] },
    });
    expect(files['weights.bin'].startsWith(only.revision)).toBe(true);
    expect(readFileSync(join(table, 'LICENSE'), 'utf8')).toContain('Apache License');
    expect(readFileSync(join(root, 'models/make-static-model.py'), 'utf8')).toContain('freshet-static-1');
  });
});
