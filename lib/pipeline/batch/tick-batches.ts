import { CLAIM_SECONDS } from '../../core/batches.ts';
import { type BatchPorts, hasTime } from './batch-ports.ts';
import { followBatch } from './follow-batch.ts';
import { submitCollected } from './submit-batch.ts';

/** What a look at the batches of a model came to. */
interface BatchTick {
  /** Batches that were submitted. */
  readonly submitted: number;
  /** Texts whose rows need not wait any longer: their vectors came, or they are bought by calls. */
  readonly freed: number;
}

const NOTHING: BatchTick = { submitted: 0, freed: 0 };

/**
 * Looks at the batches of a model that are due, then submits what was collected.
 * Every step is stored before the next one begins, so that a look that dies in the middle is taken
 * up by the next one. Two looks at once share the batches: each batch is claimed by one of them.
 * `flush` submits what is collected at once, however little it is.
 * @throws FreshetError where the database fails. Failures of the provider are logged, and the look
 * is made again.
 */
export async function tickBatches(
  ports: BatchPorts,
  modelAlias: string,
  remainingMs: () => number,
  { flush = false }: { readonly flush?: boolean } = {},
): Promise<BatchTick> {
  const provider = ports.batches?.providers(modelAlias);
  if (ports.batches === undefined || provider === undefined) return NOTHING;
  const { store } = ports.batches;
  let freed = 0;
  for (const batch of await store.claimDue(modelAlias, CLAIM_SECONDS)) {
    const look = hasTime(remainingMs)
      ? await followBatch(ports, store, provider, batch, remainingMs)
      : { freed: 0, nextLookSeconds: 0 };
    freed += look.freed;
    await store.postponeLook(batch.batchId, look.nextLookSeconds);
  }
  const collected = await submitCollected(ports, store, provider, modelAlias, remainingMs, flush);
  for (const space of await ports.spaces.list()) {
    if (space.model.alias === modelAlias) await store.tidy(space);
  }
  return { submitted: collected.submitted, freed: freed + collected.freed };
}

/**
 * Looks at the batches of every model of a run; what the batch service does wrong is no failure.
 */
export async function tickAllBatches(
  ports: BatchPorts,
  remainingMs: () => number,
  options: { readonly flush?: boolean } = {},
): Promise<BatchTick> {
  let total = NOTHING;
  const aliases = new Set((await ports.spaces.list()).map(({ model }) => model.alias));
  for (const alias of aliases) {
    const { submitted, freed } = await tickBatches(ports, alias, remainingMs, options);
    total = { submitted: total.submitted + submitted, freed: total.freed + freed };
  }
  return total;
}
