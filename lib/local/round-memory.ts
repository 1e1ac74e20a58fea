import type { DetectionStore, LeasedRow, SourceFault } from '../ports/detection-store.ts';
import type { Clock } from '../ports/process.ts';

/** The greatest age, in milliseconds, of an answer that is used again within a round. */
const TRUSTED_MS = 1_000;
/** The greatest age of an answer to what changes when a process dies or a person acts. */
const SELDOM_TRUSTED_MS = 5_000;

interface RoundMemory {
  /** The store with the memory in front. */
  readonly detection: DetectionStore;
  /**
   * Forgets what the source is and how much is in flight, so that both are asked anew.
   * `idle`: nothing of the run is under way, so that the round may be its last. Then everything is
   * asked anew: rows that a dead run held are found before this one ends.
   */
  beginRound(idle: boolean): void;
}

/**
 * Gives the second pass of a round the answers that the first pass was given.
 * The two passes follow each other within milliseconds. Both ask which runs died, which caps are
 * over, whether the source is still what it was, and how much is in flight. Rows leased since the
 * first answer are added to the rows in flight; rows finished since are not taken off. Which runs
 * died and which caps are over is asked every five seconds at most, while work is under way.
 */
export function rememberForRound(store: DetectionStore, clock: Clock): RoundMemory {
  const lostCalls = createMemory<void>(clock, SELDOM_TRUSTED_MS);
  const deadRuns = createMemory<void>(clock, SELDOM_TRUSTED_MS);
  const budgetPauses = createMemory<void>(clock, SELDOM_TRUSTED_MS);
  const faults = createMemory<SourceFault | undefined>(clock, TRUSTED_MS);
  const inFlight = createMemory<{ leases: number }>(clock, TRUSTED_MS);
  const beginRound = (idle: boolean) => {
    const seldom = idle ? [lostCalls, deadRuns, budgetPauses] : [];
    for (const memory of [...seldom, faults, inFlight]) memory.forget();
  };
  const noteLeased = async <Leased extends { readonly rows: readonly LeasedRow[] }>(
    spaceId: number,
    lease: Promise<Leased>,
  ): Promise<Leased> => {
    try {
      const leased = await lease;
      const counted = inFlight.recall(spaceId);
      if (counted !== undefined) counted.leases += leased.rows.length;
      return leased;
    } catch (error) {
      // The source may have changed since the look, and the number of leased rows is unknown.
      beginRound(true);
      throw error;
    }
  };

  return {
    beginRound,
    detection: {
      ...store,
      async settleLostCalls() {
        let lost = 0;
        await lostCalls.ask(0, async () => {
          lost = await store.settleLostCalls();
        });
        return lost;
      },
      async expireLeasesOfDeadRuns() {
        // Only the first caller is given the count, because each caller adds it up.
        let expired = 0;
        await deadRuns.ask(0, async () => {
          expired = await store.expireLeasesOfDeadRuns();
        });
        return expired;
      },
      async liftBudgetPauses() {
        let lifted = 0;
        await budgetPauses.ask(0, async () => {
          lifted = await store.liftBudgetPauses();
        });
        return lifted;
      },
      findSourceFault: space => faults.ask(space.spaceId, () => store.findSourceFault(space)),
      async countInFlight(space) {
        const ask = async () => ({ leases: await store.countInFlight(space) });
        return (await inFlight.ask(space.spaceId, ask)).leases;
      },
      leaseChangedRows: (space, request) => noteLeased(space.spaceId, store.leaseChangedRows(space, request)),
      leaseBehindCrowd: (space, request) => noteLeased(space.spaceId, store.leaseBehindCrowd(space, request)),
      leaseStaleSlice: (space, request) => noteLeased(space.spaceId, store.leaseStaleSlice(space, request)),
    },
  };
}

function createMemory<Answer>(clock: Clock, trustedMs: number) {
  const answers = new Map<number, { readonly atMs: number; readonly answer: Answer }>();
  const find = (id: number) => {
    const kept = answers.get(id);
    return kept !== undefined && clock.now() - kept.atMs <= trustedMs ? kept : undefined;
  };
  return {
    forget: () => answers.clear(),
    recall: (id: number) => find(id)?.answer,
    async ask(id: number, question: () => Promise<Answer>): Promise<Answer> {
      const kept = find(id);
      if (kept !== undefined) return kept.answer;
      const answer = await question();
      answers.set(id, { atMs: clock.now(), answer });
      return answer;
    },
  };
}
