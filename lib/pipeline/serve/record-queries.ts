import type { QueryEntry, QueryLedger } from '../../ports/embedding-service.ts';
import type { Clock, Logger, Randomness } from '../../ports/process.ts';
import { describeFailure } from '../failures.ts';

/** One call that may have been billed. */
type BilledCall = Omit<QueryEntry, 'entryId' | 'calls'>;

/** Gathers what calls for searches and clients cost, and enters it in their ledger. */
export interface QueryRecorder {
  /** Notes a call. A call that costs nothing is not entered. */
  called(call: BilledCall): void;
  /** Enters what was noted; resolves with whether all was. What cannot be entered is kept. */
  write(): Promise<boolean>;
  /** Enters what was noted every so often, until `signal` aborts. */
  writeUntil(signal: AbortSignal, everyMs: number): Promise<void>;
  /** Enters what was noted within a time; what is left then is told to the log, and lost. */
  end(withinMs: number): Promise<void>;
}

interface RecorderPorts {
  readonly ledger: QueryLedger;
  readonly clock: Clock;
  readonly randomness: Pick<Randomness, 'identifier'>;
  readonly logger: Logger;
}

type Sum = Omit<QueryEntry, 'entryId'>;

/**
 * Makes the recorder of a process.
 * An entry has its id before it is written, so that one whose answer was lost is written again and
 * counts once. Until it is written no other is made: a database that is away costs no memory.
 */
export function createQueryRecorder({ ledger, clock, randomness, logger }: RecorderPorts): QueryRecorder {
  let noted = new Map<string, Sum>();
  let unwritten: readonly QueryEntry[] = [];
  let isFailing = false;
  let turn: Promise<unknown> = Promise.resolve();

  const enterAll = async (): Promise<void> => {
    while (unwritten.length > 0 || noted.size > 0) {
      if (unwritten.length === 0) {
        unwritten = [...noted.values()].map(sum => ({ ...sum, entryId: randomness.identifier() }));
        noted = new Map();
      }
      await ledger.enter(unwritten);
      unwritten = [];
    }
  };
  const tryAll = async (): Promise<boolean> => {
    try {
      await enterAll();
      isFailing = false;
      return true;
    } catch (error) {
      const { failureClass, code, message } = describeFailure(error);
      if (!isFailing) logger.warn('queries-not-recorded', { failureClass, code, reason: message });
      isFailing = true;
      return false;
    }
  };
  const write = (): Promise<boolean> => {
    const written = turn.then(tryAll);
    turn = written;
    return written;
  };
  return {
    called({ modelAlias, texts, tokens, costUsd }) {
      if (costUsd <= 0) return;
      const sum = noted.get(modelAlias) ?? { calls: 0, texts: 0, tokens: 0, costUsd: 0 };
      noted.set(modelAlias, {
        modelAlias,
        calls: sum.calls + 1,
        texts: sum.texts + texts,
        tokens: sum.tokens + tokens,
        costUsd: sum.costUsd + costUsd,
      });
    },
    write,
    async writeUntil(signal, everyMs) {
      while (!signal.aborted) {
        await clock.sleep(everyMs, signal);
        if (!signal.aborted) await write();
      }
    },
    async end(withinMs) {
      const inTime = new AbortController();
      await Promise.race([write(), clock.sleep(withinMs, inTime.signal)]);
      inTime.abort('over');
      const left = [...unwritten, ...noted.values()];
      if (left.length === 0) return;
      const total = (of: (sum: Sum) => number) => left.reduce((sum, entry) => sum + of(entry), 0);
      logger.error('queries-lost', {
        calls: total(({ calls }) => calls),
        costUsd: total(sum => sum.costUsd),
      });
    },
  };
}
