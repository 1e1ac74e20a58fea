import type { Space } from '../../core/model/space.ts';
import { failureOfOutcome } from '../../core/report/failure-of-outcome.ts';
import type { Logger } from '../../ports/logger.ts';
import type { StaleRow } from '../../ports/redrive-store.ts';
import { SENDING_LEASE_SECONDS } from '../detect/begin-dispatch.ts';
import { sendLeasedRows } from '../detect/send-leased-rows.ts';
import type { RedrivePorts } from './operate-ports.ts';
import type { Letter } from './read-letters.ts';

export interface SpaceRedrive {
  /** Rows. */
  readonly dispatched: number;
  /** Rows. */
  readonly superseded: number;
  readonly left: ReadonlySet<Letter>;
}

export const NOTHING_SENT: SpaceRedrive = { dispatched: 0, superseded: 0, left: new Set() };

/** Letters of one space and lane: what of them is stale, and failed for `cause` where one is given, is on its way again afterwards. */
export async function sendAgain(
  ports: RedrivePorts,
  logger: Logger,
  space: Space,
  letters: readonly Letter[],
  cause: string | undefined,
): Promise<SpaceRedrive> {
  const all = letters.flatMap(({ ids }) => ids);
  const stale = await ports.stale.findStaleRows(space, [...new Set(all)]);
  const wanted = new Map(stale.filter(row => failedFor(row, cause)).map(row => [row.id, row]));
  const others = new Set(stale.filter(({ id }) => !wanted.has(id)).map(({ id }) => id));
  const { dispatched, unsent } =
    letters[0]?.lane === undefined
      ? await announceAgain(ports, letters, wanted)
      : await dispatchAgain(ports, logger, space, letters, wanted);
  const stays = (id: string) => others.has(id) || unsent.has(id);
  return {
    dispatched,
    superseded: all.filter(id => !stays(id)).length - dispatched,
    left: new Set(letters.filter(({ ids }) => ids.some(stays))),
  };
}

function failedFor({ outcome }: StaleRow, cause: string | undefined): boolean {
  if (cause === undefined) return true;
  const failure = failureOfOutcome(outcome);
  return failure !== undefined && [failure.failureClass, failure.code].includes(cause);
}

interface Sending {
  readonly dispatched: number;
  readonly unsent: ReadonlySet<string>;
}

/** Under a new dispatch. What another dispatch holds is on its way already; what the dead one holds itself is taken from it, and was no attempt. */
async function dispatchAgain(
  ports: RedrivePorts,
  logger: Logger,
  space: Space,
  letters: readonly Letter[],
  wanted: ReadonlyMap<string, StaleRow>,
): Promise<Sending> {
  const lane = letters[0]?.lane ?? 'bulk';
  for (const { dispatchId, ids } of letters) {
    const held = ids.filter(id => wanted.get(id)?.heldBy === dispatchId);
    if (held.length > 0) await ports.embedding.postponeLeases(space, dispatchId, held, 0);
  }
  const dispatch = { dispatchId: ports.randomness.identifier(), lane, stage: 'sending' as const };
  const rows = await ports.stale.leaseNamedRows(space, {
    ...dispatch,
    ids: [...wanted.keys()],
    limit: wanted.size,
    leaseSeconds: SENDING_LEASE_SECONDS,
    runId: null,
  });
  const { sent, refused } = await sendLeasedRows({ ...ports, logger }, space, dispatch, rows);
  return { dispatched: sent, unsent: new Set(refused.map(({ id }) => id)) };
}

/** The vectors are bought: the pointer itself goes back, and the writer decides. A result without a row left to write is not worth it. */
async function announceAgain(
  ports: RedrivePorts,
  letters: readonly Letter[],
  wanted: ReadonlyMap<string, StaleRow>,
): Promise<Sending> {
  const worth = letters.filter(({ ids }) => ids.length === 0 || ids.some(id => wanted.has(id)));
  if (worth.length === 0) return { dispatched: 0, unsent: new Set() };
  const { failed } = await ports.results.send(worth.map(({ body }) => ({ body })));
  const refused = new Set(failed.map(({ index }) => index));
  const idsOf = (isRefused: boolean) =>
    worth.flatMap(({ ids }, index) =>
      refused.has(index) === isRefused ? ids.filter(id => wanted.has(id)) : [],
    );
  return { dispatched: idsOf(false).length, unsent: new Set(idsOf(true)) };
}
