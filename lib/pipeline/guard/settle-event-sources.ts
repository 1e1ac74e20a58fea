import { FreshetError } from '../../core/errors/freshet-error.ts';
import type { EventSource } from '../../ports/event-sources.ts';
import { describeFailure } from '../describe-failure.ts';
import type { GuardPorts, GuardReport } from './guard-ports.ts';

type Settled = 'open' | 'closed' | 'closed-by-hand';

/**
 * Closes the mappings of `closings`, and opens the others as far as we closed them.
 * A mapping that is changing is left to the next run.
 * @throws FreshetError where a mapping could not be brought to its state, after all mappings were
 * tried.
 */
export async function settleEventSources(
  ports: GuardPorts,
  closings: ReadonlySet<string>,
): Promise<Pick<GuardReport, 'closed' | 'closedByHand'>> {
  const { embed, write } = ports.mappings;
  const mappingIds = [...Object.values(embed).flat(), ...write];
  const closed: string[] = [];
  const closedByHand: string[] = [];
  let failures = 0;
  for (const mappingId of mappingIds) {
    try {
      const settled = await settle(ports, mappingId, closings.has(mappingId));
      if (settled === 'closed') closed.push(mappingId);
      if (settled === 'closed-by-hand') closedByHand.push(mappingId);
    } catch (error) {
      failures += 1;
      const { failureClass, code } = describeFailure(error);
      ports.logger.error('event-source-not-settled', { mappingId, failureClass, code });
    }
  }
  ports.metrics.count('MappingsClosed', closed.length);
  ports.metrics.count('MappingsDisabledByHand', closedByHand.length);
  if (failures === 0) return { closed, closedByHand };
  throw new FreshetError(
    `${failures} of ${mappingIds.length} event source mappings could not be opened or closed; the log says why.`,
    { failureClass: 'transient', code: 'event_sources_not_settled' },
  );
}

async function settle(
  { eventSources, logger }: GuardPorts,
  mappingId: string,
  close: boolean,
): Promise<Settled> {
  const source = await eventSources.read(mappingId);
  const { state, closedByUs } = source;
  if (state === 'changing') return closedByUs ? 'closed' : 'open';
  if (state === 'closed' && !closedByUs) {
    logger.warn('event-source-closed-by-hand', { mappingId });
    return 'closed-by-hand';
  }
  if (close) {
    if (state === 'open') await change('close', source);
    return 'closed';
  }
  if (state === 'closed' || closedByUs) await change('open', source);
  return 'open';

  /**
   * Closes a mapping again when an overlapping run took its mark away.
   * The other run may have opened the mapping a moment before, and takes our mark for its own
   * leftover. Without the mark nobody would open the mapping again.
   */
  async function keepMark(closed: EventSource): Promise<void> {
    const { closedByUs } = await eventSources.read(closed.mappingId);
    if (!closedByUs) await eventSources.close(closed);
  }

  async function change(action: 'open' | 'close', changed: EventSource): Promise<void> {
    await eventSources[action](changed);
    if (action === 'close') await keepMark(changed);
    logger.warn(action === 'open' ? 'event-source-opened' : 'event-source-closed', { mappingId });
  }
}
