import { UsageError } from '../errors.ts';
import { nearestWord } from './describe-issues.ts';

/** What a run does otherwise than `limits` says; what is left out stays. */
export interface RunMode {
  readonly batchSize?: number | undefined;
  readonly concurrency?: number | undefined;
  readonly maxCharacters?: number | undefined;
  readonly timeoutSeconds?: number | undefined;
  readonly pauseMs?: number | undefined;
  /** Rows after which the run ends. */
  readonly maxItems?: number | undefined;
  /** US dollars that the run may spend. */
  readonly maxUsd?: number | undefined;
  /** File of the failed rows. */
  readonly failureLog?: string | undefined;
}

type RunModes = Readonly<Record<string, RunMode>>;

/**
 * The modes that need no entry in the configuration.
 * `bootstrap` fills a table for the first time beside an application that goes on: small batches
 * with a pause between them, and a failure log of its own. `maintenance` is for a schedule: it ends
 * after 20,000 rows, so that two runs of it seldom meet.
 */
const PRESETS: RunModes = {
  bootstrap: { batchSize: 64, pauseMs: 200, failureLog: 'freshet-bootstrap-failures.jsonl' },
  maintenance: { batchSize: 32, maxItems: 20_000 },
};

/**
 * Finds the mode of a name: the configuration's own, else the one that comes with Freshet.
 * @throws UsageError where there is none, with the nearest name
 */
export function findRunMode(own: RunModes | undefined, name: string): RunMode {
  const modes = new Map(Object.entries({ ...PRESETS, ...own }));
  const found = modes.get(name);
  if (found !== undefined) return found;
  const names = [...modes.keys()];
  const nearest = nearestWord(name, names);
  const suggestion = nearest === undefined ? '' : ` Did you mean ${nearest}?`;
  throw new UsageError(
    `${JSON.stringify(name)} is no mode of a run.${suggestion}`,
    `Modes: ${names.join(', ')}. The section modes of the configuration defines more.`,
  );
}
