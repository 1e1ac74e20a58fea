import { BUDGET_PAUSE } from './control.ts';
import { FRESHET } from './own-command.ts';

/** What was seen of a local run once it ended: everything that decides how it ended. */
export interface ObservedRun {
  /** What the run rejected with, in a sentence for people. */
  readonly error?: RunError | undefined;
  /** The connection whose advisory lock held the run's leases is gone. */
  readonly lockLost: boolean;
  /** Sources that were left out, and why. */
  readonly faults: readonly SourceFailure[];
  /** Messages that nobody could work on. */
  readonly deadLetters: number;
  /** SIGINT, SIGTERM or `freshet stop`. */
  readonly interruptedBy?: 'signal' | 'operator' | undefined;
  /** Coverage after the run, of each space that has to be complete; in rows. */
  readonly spaces: readonly SpaceAtEnd[];
  /** Sources of spaces that have to be complete, and whose coverage could not be read. */
  readonly unreadSources: readonly string[];
  /** Who holds stale rows after the run, counted a moment after the coverage. */
  readonly heldElsewhere: HeldRows;
  /** Rows that the run was allowed to take up; undefined: all. */
  readonly maxItems?: number | undefined;
}

/** Stale rows whose lease somebody else has, counted by whom. */
export interface HeldRows {
  /** Other runs on a machine, whose processes live. */
  readonly byRuns: number;
  /** The deployed pipeline on the same database. */
  readonly byPipeline: number;
  /** Nobody: they wait for a batch at the provider. Undefined: none do. */
  readonly byBatches?: number | undefined;
}

export interface RunError {
  readonly message: string;
  /** Short and stable, as `run_lock_lost`, `source-missing`, `unexpected`. */
  readonly code: string;
}

interface SourceFailure extends RunError {
  readonly source: string;
}

interface SpaceAtEnd {
  readonly stale: number;
  readonly inFlight: number;
  readonly failed: number;
}

/** How a run ended, as `run --json` names it under `end`. docs/commands.md explains each one. */
export type RunEndKind = 'complete' | 'failed-rows' | 'held-elsewhere' | 'rows-left' | 'stopped' | 'error';

export interface RunEnding {
  readonly kind: RunEndKind;
  readonly exitCode: number;
  /** Only of the kind `error`. */
  readonly error?: RunError;
  /** Sentences for people. There are none for a run that is complete or that a signal ended. */
  readonly sentences: readonly string[];
}

/**
 * The codes of what a person mends.
 * That is the model's line of the configuration, or a table that the application changed.
 */
const MENDED_BY_PEOPLE = /^(wrong_dimensions|source-(missing|swapped)|column-(missing|changed)|permission)$/;

const EXIT_CODES = {
  ...{ complete: 0, error: 1, mendable: 2, 'failed-rows': 3, 'held-elsewhere': 4, 'rows-left': 5 },
  /** As after SIGINT and SIGTERM. */
  stopped: 130,
} as const;

/**
 * Decides how a run ended, and with which exit code.
 * The code is 0 only where no row is stale, in flight or failed. What ended the run early comes
 * first, then who interrupted it, then what its spaces lack.
 */
export function decideRunEnd(seen: ObservedRun): RunEnding {
  const failed = sum(seen.spaces, space => space.failed);
  const failures = failed === 0 ? [] : [describeFailures(failed)];
  const end = (kind: Exclude<RunEndKind, 'error'>, ...sentences: string[]): RunEnding => ({
    kind,
    exitCode: EXIT_CODES[kind],
    sentences,
  });
  const error = findError(seen);
  if (error?.code === BUDGET_PAUSE) return end('rows-left', error.message, ...failures);
  if (error !== undefined) {
    const exitCode = isMendedByPeople(seen, error) ? EXIT_CODES.mendable : EXIT_CODES.error;
    return { kind: 'error', exitCode, error, sentences: [error.message] };
  }
  if (seen.interruptedBy === 'operator')
    return end(
      'stopped',
      'Stopped because another process asked for it: freshet stop. The next run goes on.',
    );
  if (seen.interruptedBy === 'signal') return end('stopped');
  const stale = sum(seen.spaces, space => space.stale);
  const inFlight = countUnfinished(seen);
  const held = inFlight === 0 ? [] : [describeUnfinished(inFlight, seen.heldElsewhere)];
  if (stale > 0) return end('rows-left', describeStale(stale, seen.maxItems), ...held, ...failures);
  if (inFlight > 0) return end('held-elsewhere', ...held, ...failures);
  return failed > 0 ? end('failed-rows', ...failures) : end('complete');
}

/**
 * Describes what a run waits for, as in "150 rows are held by another run".
 * `rows` may have been counted a moment before their holders.
 */
export function describeHeld(rows: number, { byRuns, byPipeline, byBatches = 0 }: HeldRows): string {
  const holders = [
    ...(byRuns > 0 ? ['another run'] : []),
    ...(byPipeline > 0 ? ['the deployed pipeline'] : []),
    ...(byBatches > 0 ? ['a batch at the provider'] : []),
  ];
  return `${countRows(rows)} held by ${holders.join(' and ') || 'somebody else'}`;
}

/**
 * Describes faults of sources, one line each.
 * A fault of the source itself names its source in its message. Any other fault gets it in front.
 */
export function describeFaults(faults: readonly SourceFailure[]): string {
  const messages = faults.map(({ source, message }) =>
    message.startsWith('Source ') ? message : `Source "${source}": ${message}`,
  );
  return [...new Set(messages)].join('\n');
}

function findError({
  error,
  lockLost,
  faults,
  deadLetters,
  unreadSources,
}: ObservedRun): RunError | undefined {
  if (error !== undefined) return error;
  if (lockLost)
    return {
      message: 'The connection that held the run was lost, so the run ended. The next run goes on.',
      code: 'run_lock_lost',
    };
  // What a cap holds up mends itself.
  const fault = faults.find(({ code }) => code !== BUDGET_PAUSE) ?? faults[0];
  if (fault !== undefined) return { message: describeFaults(faults), code: fault.code };
  if (deadLetters > 0)
    return {
      message: `${deadLetters} messages could not be worked on; .freshet/log.jsonl says why.`,
      code: 'dead_letters',
    };
  if (unreadSources.length > 0)
    return {
      message:
        `Source "${unreadSources.join('", "')}" could not be read when the run ended: ` + `${FRESHET} doctor`,
      code: 'coverage_unknown',
    };
  return undefined;
}

/**
 * Whether a person mends what ended the run.
 * Where several sources failed, the exit code says so only if that mends all of them.
 */
function isMendedByPeople(seen: ObservedRun, error: RunError): boolean {
  const reasons =
    seen.error === undefined && !seen.lockLost && seen.faults.length > 0 ? seen.faults : [error];
  return reasons.every(({ code }) => MENDED_BY_PEOPLE.test(code));
}

function describeStale(stale: number, maxItems: number | undefined): string {
  const rows = `${countRows(stale)} stale`;
  return maxItems === undefined
    ? `${rows}: they changed while the run was ending. Run it again, or keep it running with run --watch.`
    : `${rows}: the run may take up ${formatCount(maxItems)} (--max-items). The next run goes on.`;
}

/**
 * Counts the rows that others hold: as many as the coverage or the leases show.
 * The coverage goes by versions. A row that was edited without a new version is fresh there, and
 * stale for whoever leased it.
 */
function countUnfinished({ spaces, heldElsewhere }: ObservedRun): number {
  const { byRuns, byPipeline, byBatches = 0 } = heldElsewhere;
  return Math.max(
    sum(spaces, space => space.inFlight),
    byRuns + byPipeline + byBatches,
  );
}

function describeUnfinished(inFlight: number, held: HeldRows): string {
  const isInBatch = (held.byBatches ?? 0) > 0;
  const remedy = isInBatch
    ? 'A batch takes up to a day: run it again later, or keep it running with run --watch.'
    : 'Run it again later, or let it wait longer with --max-wait.';
  return `${describeHeld(inFlight, held)} and not finished. ${remedy}`;
}

function describeFailures(failed: number): string {
  return (
    `${failed === 1 ? '1 row' : `${formatCount(failed)} rows`} failed: ${FRESHET} failures ` +
    'says why and what to do.'
  );
}

const countRows = (rows: number) => (rows === 1 ? '1 row is' : `${formatCount(rows)} rows are`);

function sum<Value>(values: readonly Value[], of: (value: Value) => number): number {
  return values.reduce((total, value) => total + of(value), 0);
}

/**
 * Writes a whole number with commas between its thousands, as `12,345`.
 * `toLocaleString` loads the tables of all languages for it: 20 ms of a command's start.
 */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}
