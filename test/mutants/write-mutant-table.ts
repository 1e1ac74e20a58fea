import { readFileSync, writeFileSync } from 'node:fs';
import { PLACES } from './places.ts';
import type { Verdict } from './try-mutant.ts';

const BEGIN = '<!-- mutants: written by npm run mutants -- --document -->';
const END = '<!-- end of mutants -->';

export interface MutantRun {
  readonly revision: string;
  readonly minutes: number;
  /** Most that each mutant was given before it counts as living. */
  readonly seeds: number;
  readonly histories: number;
}

/** Puts the table between the two marks of the page. */
export function writeMutantTable(file: string, verdicts: readonly Verdict[], run: MutantRun): void {
  const page = readFileSync(file, 'utf8');
  const [before, rest] = page.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined)
    throw new Error(`${file} lacks the marks of the table of mutants.`);
  writeFileSync(file, `${before}${BEGIN}\n\n${describeRun(verdicts, run)}\n\n${END}${after}`);
}

function describeRun(
  verdicts: readonly Verdict[],
  { revision, minutes, seeds, histories }: MutantRun,
): string {
  const rows = verdicts.map(
    ({ mutant, killedBy, trouble }) =>
      `| \`${mutant.name}\` | ${mutant.removes} | ${PLACES[mutant.dies].name} | ${killedBy ?? (trouble === undefined ? '**lives**' : '**failed otherwise**')} |`,
  );
  const killed = verdicts.filter(({ killedBy }) => killedBy !== undefined).length;
  const bounds = `${seeds.toLocaleString('en')} seeds or ${histories.toLocaleString('en')} histories`;
  return [
    `${killed} of ${verdicts.length} killed within ${bounds} each, at revision ${revision}, in ${minutes.toFixed(1)} minutes.`,
    '',
    '| mutant | what it takes away | where it is tried | what noticed first |',
    '|---|---|---|---|',
    ...rows,
  ].join('\n');
}
