import { readFileSync, writeFileSync } from 'node:fs';
import type { Verdict } from './run-mutants.ts';

const BEGIN = '<!-- mutants: written by npm run mutants -- --document -->';
const END = '<!-- end of mutants -->';

/** Puts the table between the two marks of the page. */
export function writeMutantTable(file: string, verdicts: readonly Verdict[], revision: string): void {
  const page = readFileSync(file, 'utf8');
  const [before, rest] = page.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined)
    throw new Error(`${file} lacks the marks of the table of mutants.`);
  const rows = verdicts.map(
    ({ mutant, killedBy }) =>
      `| \`${mutant.name}\` | ${mutant.removes} | ${mutant.dies === 'simulation' ? 'simulation' : 'PostgreSQL'} | ${killedBy ?? '**lives**'} |`,
  );
  const killed = verdicts.filter(({ killedBy }) => killedBy !== undefined).length;
  const table = [
    `${killed} of ${verdicts.length} killed, at revision ${revision}.`,
    '',
    '| mutant | what it takes away | where it is tried | what noticed first |',
    '|---|---|---|---|',
    ...rows,
  ];
  writeFileSync(file, `${before}${BEGIN}\n\n${table.join('\n')}\n\n${END}${after}`);
}
