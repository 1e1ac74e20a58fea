import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { applyChanges } from './apply-changes.ts';
import { PIPELINE_MUTANTS } from './pipeline-mutants.ts';
import { STATEMENT_MUTANTS } from './statement-mutants.ts';

const MUTANTS = [...PIPELINE_MUTANTS, ...STATEMENT_MUTANTS];
const root = path.resolve(import.meta.dirname, '../..');

test.each(MUTANTS)('the mutant $name still applies to $file', mutant => {
  const source = readFileSync(path.join(root, mutant.file), 'utf8');
  expect(applyChanges(source, mutant)).not.toBe(source);
});

test('every mutant has a name of its own, and enough of them are statements', () => {
  expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
  expect(MUTANTS.length).toBeGreaterThanOrEqual(40);
  expect(STATEMENT_MUTANTS.length).toBeGreaterThanOrEqual(15);
});
