import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { ALL_MUTANTS } from './all-mutants.ts';
import type { Mutant } from './mutant.ts';
import { PLACES } from './places.ts';
import { HISTORIES, lookFor, makeCopy, requireSound, SEEDS, tryMutant, type Verdict } from './try-mutant.ts';
import { writeMutantTable } from './write-mutant-table.ts';

const USAGE = `npm run mutants [-- --only NAME[,NAME…]] [--minutes N] [--document]
  Takes one safety mechanism after the other out of a copy and runs what must notice: the simulation, tests of its own,
  or (with DATABASE_URL) the differential suite. With --minutes none begins later than that, and those that were
  left are named; each revision begins elsewhere in the list. --document writes the table of docs/reliability.md; it needs all mutants and DATABASE_URL.
  Ends with 0 only if all that were tried were killed.
`;
/** Mutants that are tried at the same time, each in a copy of its own. */
const LANES = 2;

interface Choice {
  readonly only: string | undefined;
  readonly minutes: number;
  readonly document: boolean;
}

function readArguments(): Choice {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: 'string' },
        minutes: { type: 'string' },
        document: { type: 'boolean', default: false },
      },
    });
    const minutes = Number(values.minutes ?? Number.POSITIVE_INFINITY);
    if (!(minutes > 0)) refuse(`--minutes ${values.minutes} is no number of minutes above 0.`);
    return { only: values.only, minutes, document: values.document };
  } catch (error) {
    return refuse((error as Error).message);
  }
}

function refuse(message: string): never {
  process.stderr.write(`${message}\n${USAGE}`);
  process.exit(2);
}

function choose({ only, minutes, document }: Choice, hasServer: boolean): Mutant[] {
  if (document && (only !== undefined || Number.isFinite(minutes) || !hasServer)) {
    refuse(
      '--document needs all mutants and DATABASE_URL: without them the table would be a part of itself.',
    );
  }
  const names = only?.split(',');
  for (const name of names ?? []) {
    if (!ALL_MUTANTS.some(mutant => mutant.name === name)) refuse(`There is no mutant "${name}".`);
  }
  const chosen = ALL_MUTANTS.filter(
    ({ name, dies }) => (names?.includes(name) ?? true) && (!PLACES[dies].needsServer || hasServer),
  );
  return Number.isFinite(minutes) ? beginElsewhere(chosen) : chosen;
}

/** Turns a list so far as the revision says: what time is too short for is not the same every time. */
function beginElsewhere(mutants: Mutant[]): Mutant[] {
  const start = Number.parseInt(readRevision().slice(0, 7), 16) % Math.max(1, mutants.length);
  return [...mutants.slice(start), ...mutants.slice(0, start)];
}

const readRevision = () =>
  execFileSync('git', ['rev-parse', '--short=8', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim();

/**
 * Tries mutants in lanes, half of which begin at the end of the list.
 * Statements stand there, unless the list was turned: those wait for the server, others for the processor.
 */
async function tryAll(
  copies: readonly string[],
  mutants: readonly Mutant[],
  untilMs: number,
): Promise<Verdict[]> {
  const startedMs = performance.now();
  const rest = [...mutants];
  const verdicts: Verdict[] = [];
  await Promise.all(
    copies.map(async (copy, lane) => {
      const take = () => (lane % 2 === 0 ? rest.shift() : rest.pop());
      while (performance.now() < untilMs) {
        const mutant = take();
        if (mutant === undefined) return;
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

const root = path.resolve(import.meta.dirname, '../..');
const choice = readArguments();
const hasServer = (process.env.DATABASE_URL ?? '') !== '';
const mutants = choose(choice, hasServer);
if (mutants.length === 0) refuse('Nothing to try: these mutants need DATABASE_URL.');
const startedMs = performance.now();
const copies = Array.from({ length: Math.min(LANES, mutants.length) }, () => makeCopy(root));
let verdicts: Verdict[];
try {
  await requireSound(mutants, watch => lookFor(copies[0] ?? '', watch, LANES));
  verdicts = await tryAll(copies, mutants, startedMs + choice.minutes * 60_000);
} finally {
  for (const copy of copies) rmSync(copy, { recursive: true, force: true });
}
const killed = verdicts.filter(({ killedBy }) => killedBy !== undefined).length;
const minutes = (performance.now() - startedMs) / 60_000;
process.stdout.write(`${verdicts.length} mutants, ${killed} killed, in ${minutes.toFixed(1)} minutes`);
const left = mutants.filter(mutant => !verdicts.some(verdict => verdict.mutant === mutant));
if (left.length > 0)
  process.stdout.write(
    `; ${left.length} were not tried, for want of time: ${left.map(({ name }) => name).join(', ')}`,
  );
process.stdout.write(
  hasServer ? '\n' : '; those that need a server were not tried: DATABASE_URL is not set\n',
);
if (choice.document) {
  writeMutantTable(path.join(root, 'docs/reliability.md'), verdicts, {
    ...{ revision: readRevision(), minutes, seeds: SEEDS, histories: HISTORIES },
  });
}
process.exitCode = killed === verdicts.length ? 0 : 1;
