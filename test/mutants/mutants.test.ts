import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { API_MUTANTS } from './api-mutants.ts';
import { applyChanges } from './apply-changes.ts';
import { BAD_ROW_MUTANTS } from './bad-row-mutants.ts';
import { BATCH_MUTANTS } from './batch-mutants.ts';
import { DOCUMENT_MUTANTS } from './document-mutants.ts';
import { LIMIT_MUTANTS } from './limit-mutants.ts';
import { LOCAL_RUN_MUTANTS } from './local-run-mutants.ts';
import { PIPELINE_MUTANTS } from './pipeline-mutants.ts';
import { SEARCH_MUTANTS } from './search-mutants.ts';
import { STATEMENT_MUTANTS } from './statement-mutants.ts';

const MUTANTS = [
  ...PIPELINE_MUTANTS,
  ...LOCAL_RUN_MUTANTS,
  ...BAD_ROW_MUTANTS,
  ...LIMIT_MUTANTS,
  ...BATCH_MUTANTS,
  ...SEARCH_MUTANTS,
  ...API_MUTANTS,
  ...DOCUMENT_MUTANTS,
  ...STATEMENT_MUTANTS,
];
const root = path.resolve(import.meta.dirname, '../..');

test.each(MUTANTS)('the mutant $name still applies to $file', mutant => {
  const source = readFileSync(path.join(root, mutant.file), 'utf8');
  expect(applyChanges(source, mutant)).not.toBe(source);
});

/** A comment, or a line that imports: both change where nothing of the behaviour does. */
const COMMENT_OR_IMPORT = /\/\*|^\s*\*\s|(^|\s)\/\/\s|(^|\s)--\s|^import\b|\bfrom '\./m;

test.each(MUTANTS)('the mutant $name replaces neither a comment nor an import', ({ changes }) => {
  expect(changes.map(([find]) => find).filter(find => COMMENT_OR_IMPORT.test(find))).toEqual([]);
});

test('every mutant names its file in one literal, from the root', () => {
  const lists = readdirSync(import.meta.dirname).filter(name => name.endsWith('-mutants.ts'));
  const texts = lists.map(name => readFileSync(path.join(import.meta.dirname, name), 'utf8'));
  const named = texts.flatMap(text => [...text.matchAll(/^ {4}file: '([^']+)',$/gm)].map(match => match[1]));

  expect(named.toSorted()).toEqual(MUTANTS.map(({ file }) => file).toSorted());
});

test('every mutant has a name of its own, and enough of them are statements', () => {
  expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
  expect(MUTANTS.length).toBeGreaterThanOrEqual(40);
  expect(STATEMENT_MUTANTS.length).toBeGreaterThanOrEqual(15);
});
