import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { ALL_MUTANTS } from './all-mutants.ts';
import { applyChanges } from './apply-changes.ts';
import { PLACES } from './places.ts';
import { STATEMENT_MUTANTS } from './statement-mutants.ts';
import { requireSound, type Watch } from './try-mutant.ts';

const root = path.resolve(import.meta.dirname, '../..');

test.each(ALL_MUTANTS)('the mutant $name still applies to $file', mutant => {
  const source = readFileSync(path.join(root, mutant.file), 'utf8');
  expect(applyChanges(source, mutant)).not.toBe(source);
});

/** A comment, or a line that imports: both change where nothing of the behaviour does. */
const COMMENT_OR_IMPORT = /\/\*|^\s*\*\s|(^|\s)\/\/\s|(^|\s)--\s|^import\b|\bfrom '\./m;

test.each(ALL_MUTANTS)('the mutant $name replaces neither a comment nor an import', ({ changes }) => {
  expect(changes.map(([find]) => find).filter(find => COMMENT_OR_IMPORT.test(find))).toEqual([]);
});

test('the source as it is has to pass wherever a mutant is tried', async () => {
  const passed: string[] = [];
  await requireSound(ALL_MUTANTS, async ({ dies }) => void passed.push(dies));

  expect(new Set(passed)).toEqual(new Set(ALL_MUTANTS.map(({ dies }) => dies)));
  for (const failing of passed) {
    const look = async ({ dies }: Watch) => (dies === failing ? 'a test fails' : undefined);
    await expect(requireSound(ALL_MUTANTS, look), failing).rejects.toThrow('fails already');
  }
});

test.each(ALL_MUTANTS)('the mutant $name names the test file that has to notice it', ({ dies, suite }) => {
  expect(suite !== undefined).toBe(PLACES[dies].tries === 'suites');
  expect(suite === undefined || existsSync(path.join(root, suite))).toBe(true);
});

test('every mutant names its file in one literal, from the root', () => {
  const lists = readdirSync(import.meta.dirname).filter(name => name.endsWith('-mutants.ts'));
  const texts = lists.map(name => readFileSync(path.join(import.meta.dirname, name), 'utf8'));
  const named = texts.flatMap(text => [...text.matchAll(/^ {4}file: '([^']+)',$/gm)].map(match => match[1]));

  expect(named.toSorted()).toEqual(ALL_MUTANTS.map(({ file }) => file).toSorted());
});

test('every mutant has a name of its own, and enough of them are statements', () => {
  expect(new Set(ALL_MUTANTS.map(({ name }) => name)).size).toBe(ALL_MUTANTS.length);
  expect(ALL_MUTANTS.length).toBeGreaterThanOrEqual(40);
  expect(STATEMENT_MUTANTS.length).toBeGreaterThanOrEqual(15);
});
