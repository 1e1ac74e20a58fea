import type { StaleSlice } from '../../lib/ports/detection-store.ts';
import type { LogFields } from '../../lib/ports/process.ts';
import type { Invocation } from './invocation.ts';
import type { World } from './world.ts';

/** How often rows come to be that no look can compare, in one seed of eight. */
export const drawRaisingRows = (seed: number) => (seed % 8 === 5 ? 3 : 0);

/**
 * The version of a row becomes something that no look can compare, and is mended later. Rows that
 * were so are found by the walk over all keys; all others as if there were none.
 */
export function raiseForAWhile(world: World): void {
  const { random, twin, trace, scheduler, application } = world;
  const [name, source] = random.pick([...twin.sources]);
  if (source.rows.size === 0) return;
  const id = random.pick([...source.rows.keys()]);
  const distrust = () => {
    const facts = application.rows.get(`${name}/${id}`);
    if (facts) facts.honest = false;
  };
  distrust();
  source.raising.add(id);
  trace.event('row cannot be compared', 0, () => `${name}/${id}`);
  scheduler.after(random.below(20 * 60_000), () => {
    distrust();
    source.raising.delete(id);
    trace.event('row can be compared', 0, () => `${name}/${id}`);
  });
}

/** A look skipped rows, of which its tick must tell. */
export function noteSkipped({ untold }: Invocation, spaceId: number, { skipped = [] }: StaleSlice): void {
  if (skipped.length > 0) untold.set(spaceId, (untold.get(spaceId) ?? 0) + skipped.length);
}

/** A tick tells of skipped rows, or of a pass that failed, whose next one meets them again. */
export function noteTold({ untold }: Invocation, event: string, { spaceId, rows }: LogFields): void {
  if (typeof spaceId !== 'number') return;
  if (event === 'space-failed') untold.delete(spaceId);
  if (event === 'rows-skipped') untold.set(spaceId, (untold.get(spaceId) ?? 0) - Number(rows));
}

/** A tick has ended by itself. */
export function checkTold(world: World, { untold }: Invocation): void {
  for (const [spaceId, rows] of untold)
    if (rows !== 0) world.violate('skipped-told', `${rows} rows of space ${spaceId} were skipped untold`);
}
