import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { ALL_MUTANTS } from './all-mutants.ts';
import type { Mutant } from './mutant.ts';
import { PLACES } from './places.ts';
import { HISTORIES, lookFor, makeCopy, requireSound, SEEDS, tryMutant, type Verdict } from './try-mutant.ts';
import { writeMutantTable } from './write-mutant-table.ts';

const USAGE = `npm run mutants [-- --only NAME[,NAME…]] [--document]
  Takes one safety mechanism after the other out of a copy and runs what must notice: the simulation, tests of its own,
  or (with DATABASE_URL) the differential suite. --document writes the table of docs/reliability.md; it needs all mutants and DATABASE_URL.
  Ends with 0 only if all were killed.
`;
/** Mutants that are tried at the same time, each in a copy of its own. */
const LANES = 2;

interface Choice {
  readonly only: string | undefined;
  readonly document: boolean;
}

function readArguments(): Choice {
  try {
    const { values } = parseArgs({
      options: { only: { type: 'string' }, document: { type: 'boolean', default: false } },
    });
    return { only: values.only, document: values.document };
  } catch (error) {
    return refuse((error as Error).message);
  }
}

function refuse(message: string): never {
  process.stderr.write(`${message}\n${USAGE}`);
  process.exit(2);
}

function choose({ only, document }: Choice, hasServer: boolean): Mutant[] {
  if (document && (only !== undefined || !hasServer)) {
    refuse(
      '--document needs all mutants and DATABASE_URL: without them the table would be a part of itself.',
    );
  }
  const names = only?.split(',');
  for (const name of names ?? []) {
    if (!ALL_MUTANTS.some(mutant => mutant.name === name)) refuse(`There is no mutant "${name}".`);
  }
  return ALL_MUTANTS.filter(
    ({ name, dies }) => (names?.includes(name) ?? true) && (!PLACES[dies].needsServer || hasServer),
  );
}

/** Half of the lanes begin at the end, where the statements are: those wait for the server, the others for the processor. */
async function tryAll(copies: readonly string[], mutants: readonly Mutant[]): Promise<Verdict[]> {
  const startedMs = performance.now();
  const rest = [...mutants];
  const verdicts: Verdict[] = [];
  await Promise.all(
    copies.map(async (copy, lane) => {
      const take = () => (lane % 2 === 0 ? rest.shift() : rest.pop());
      for (let mutant = take(); mutant; mutant = take()) {
        const verdict = await tryMutant(copy, mutant);
        verdicts.push(verdict);
        const meanMs = (performance.now() - startedMs) / verdicts.length;
        const leftMinutes = (meanMs * (mutants.length - verdicts.length)) / 60_000;
        process.stdout.write(
          `[${verdicts.length}/${mutants.length}, ${leftMinutes.toFixed(1)} min left] ${mutant.name}: ${describe(verdict)}\n`,
        );
      }
    }),
  );
  return verdicts.sort((a, b) => mutants.indexOf(a.mutant) - mutants.indexOf(b.mutant));
}

const describe = ({ killedBy, trouble }: Verdict) =>
  killedBy ?? (trouble === undefined ? 'LIVES' : `NOBODY CAN SAY: ${trouble}`);

const choice = readArguments();
const root = path.resolve(import.meta.dirname, '../..');
const hasServer = (process.env.DATABASE_URL ?? '') !== '';
const mutants = choose(choice, hasServer);
if (mutants.length === 0) refuse('Nothing to try: these mutants need DATABASE_URL.');
const startedMs = performance.now();
const copies = Array.from({ length: Math.min(LANES, mutants.length) }, () => makeCopy(root));
let verdicts: Verdict[];
try {
  await requireSound(mutants, dies => lookFor(copies[0] ?? '', dies, LANES));
  verdicts = await tryAll(copies, mutants);
} finally {
  for (const copy of copies) rmSync(copy, { recursive: true, force: true });
}
const killed = verdicts.filter(({ killedBy }) => killedBy !== undefined).length;
const minutes = (performance.now() - startedMs) / 60_000;
process.stdout.write(`${verdicts.length} mutants, ${killed} killed, in ${minutes.toFixed(1)} minutes`);
process.stdout.write(
  hasServer ? '\n' : '; those that need a server were not tried: DATABASE_URL is not set\n',
);
if (choice.document) {
  const revision = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' });
  writeMutantTable(path.join(root, 'docs/reliability.md'), verdicts, {
    ...{ revision: revision.trim(), minutes, seeds: SEEDS, histories: HISTORIES },
  });
}
process.exitCode = killed === verdicts.length ? 0 : 1;
