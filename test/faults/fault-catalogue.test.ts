import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { wrapProse } from '../../bench/apparatus/wrap-prose.ts';
import { PIPELINE_MUTANTS } from '../mutants/pipeline-mutants.ts';
import { STATEMENT_MUTANTS } from '../mutants/statement-mutants.ts';
import { INVARIANTS } from '../simulation/invariants.ts';
import type { CataloguedFault, Evidence } from './catalogued-fault.ts';
import { FAULT_CATALOGUE } from './fault-catalogue.ts';

const FAULTS = 119;
const root = path.resolve(import.meta.dirname, '../..');
const page = path.join(root, 'docs/faults.md');
const mutants = new Set([...PIPELINE_MUTANTS, ...STATEMENT_MUTANTS].map(({ name }) => name));

test('every fault of the catalogue stands in it once, in order', () => {
  const numbers = FAULT_CATALOGUE.map(({ number }) => number);
  expect(numbers).toEqual(Array.from({ length: FAULTS }, (_, place) => place + 1));
});

test('every fault names what shows it, or why nothing does', () => {
  const bare = FAULT_CATALOGUE.filter(({ shownBy = [], deferred }) => shownBy.length === 0 && !deferred);
  expect(bare).toEqual([]);
});

test('everything that a fault names is there', () => {
  const missing = FAULT_CATALOGUE.flatMap(({ number, shownBy = [] }) =>
    shownBy.filter(evidence => !isThere(evidence)).map(evidence => ({ number, evidence })),
  );
  expect(missing).toEqual([]);
});

test('docs/faults.md has the catalogue as it is', () => {
  const text = wrapProse(describeCatalogue());
  if (process.env.UPDATE_DOCS === '1') writeFileSync(page, text);
  expect(readFileSync(page, 'utf8')).toBe(text);
});

function isThere(evidence: Evidence): boolean {
  if ('invariant' in evidence) return evidence.invariant in INVARIANTS;
  if ('mutant' in evidence) return mutants.has(evidence.mutant);
  const file = path.join(root, 'test', evidence.file);
  return existsSync(file) && readFileSync(file, 'utf8').includes(evidence.title);
}

function describeCatalogue(): string {
  const deferred = FAULT_CATALOGUE.filter(fault => fault.deferred !== undefined).map(({ number }) => number);
  return [
    '# Faults',
    '',
    'What can go wrong, by the numbers of the catalogue that the design goes back to, and the test that shows that it does no harm. Written by',
    '`npm run docs:faults` from `test/faults/fault-catalogue.ts`, and compared with the tests by every `npm test`. Invariants are those of the',
    '[simulation](reliability.md#the-invariants), mutants those of [its table](reliability.md#the-mutants).',
    '',
    `${FAULT_CATALOGUE.length} faults; deferred, wholly or in part: ${deferred.join(', ')}.`,
    '',
    '| no. | fault | shown by |',
    '|---|---|---|',
    ...FAULT_CATALOGUE.map(describeFault),
    '',
  ].join('\n');
}

function describeFault({ number, fault, shownBy = [], deferred }: CataloguedFault): string {
  const shown = shownBy.map(describeEvidence);
  if (deferred !== undefined) shown.push(`*deferred*: ${deferred}`);
  return `| ${number} | ${fault} | ${shown.join('<br>')} |`;
}

function describeEvidence(evidence: Evidence): string {
  if ('invariant' in evidence) return `invariant \`${evidence.invariant}\``;
  if ('mutant' in evidence) return `mutant \`${evidence.mutant}\``;
  return `\`test/${evidence.file}\`: ${evidence.title}`;
}
