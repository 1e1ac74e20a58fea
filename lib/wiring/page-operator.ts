import { readdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createSystemClock } from '../adapters/system.ts';
import type { RowsOperator } from '../ports/rows-operator.ts';
import { type AskLocally, createLocalAnswers } from './local-requests.ts';
import { nudgeRuns, type OperatorRequest, withOperator } from './operator.ts';
import type { InTurn } from './served-search.ts';
import type { Workspace } from './workspace.ts';

/** Also answers what needs the models of this machine, as a search. */
interface LocalRows extends RowsOperator {
  readonly ask: AskLocally;
}

/** Asks the rows of a database that stays open, which is one on a server. */
export function operateOpened(workspace: Workspace): LocalRows {
  const answer = createLocalAnswers(workspace);
  const ask = ((name: string, details: object) => answer({ request: name, ...details })) as AskLocally;
  return { ask, nudge: () => nudgeRuns(workspace.database) };
}

/**
 * Asks the rows of an embedded database, which is for one process at a time.
 * A run that has it answers. Where nobody has it, it is opened for the one answer and closed, so
 * that a run can have it. Whoever takes the database makes its lock beside it: while the time of
 * that folder tells that nobody did, a reading is repeated every five minutes only, for its ages
 * and rates.
 * @param directory that of the database
 */
export function operateEmbedded(request: OperatorRequest, directory: string, inTurn: InTurn): LocalRows {
  const clock = createSystemClock();
  const known = new Map<string, KnownAnswer>();
  let lastChange = Number.NaN;
  const ask = async (name: string, details: object): Promise<object> => {
    if (lastChange !== (await readChange(directory))) known.clear();
    const key = JSON.stringify([name, details]);
    const held = known.get(key);
    if (held !== undefined && clock.now() < held.untilMs) return held.answer;
    if (!READINGS.has(name)) known.clear();
    const answer = withOperator(request, operator => operator.ask(name as 'status', details as object));
    await answer.catch(() => undefined);
    lastChange = await readChange(directory);
    if (READINGS.has(name)) known.set(key, { answer, untilMs: clock.now() + HELD_MS });
    return answer;
  };
  return {
    ask: ((name: string, details: object) => inTurn(() => ask(name, details))) as AskLocally,
    // Where nobody has the database, no run watches: there is nobody to ask.
    nudge: () =>
      inTurn(async () =>
        (await isTaken(directory)) ? withOperator(request, operator => operator.nudgeRuns()) : { runs: 0 },
      ),
  };
}

interface KnownAnswer {
  readonly answer: Promise<object>;
  readonly untilMs: number;
}

const HELD_MS = 5 * 60_000;

/** Requests that change nothing: their answer holds while nobody takes the database. */
const READINGS: ReadonlySet<string> = new Set(['status', 'failures']);

/**
 * When somebody last took or released the database; NaN, which equals nothing, while somebody has
 * it and where it is not there.
 */
async function readChange(directory: string): Promise<number> {
  try {
    return (await isTaken(directory)) ? Number.NaN : (await stat(dirname(directory))).mtimeMs;
  } catch {
    return Number.NaN;
  }
}

async function isTaken(directory: string): Promise<boolean> {
  const files: readonly string[] = await readdir(dirname(directory)).catch(() => []);
  return files.includes('lock');
}
