import type { FreshetError } from '../../core/errors/freshet-error.ts';
import type { QueueRecord } from '../queue-record.ts';
import type { TextResult } from './buy-vectors.ts';
import type { Settlement } from './compose-result.ts';
import type { EmbedPorts } from './embed-ports.ts';

/**
 * Decides the texts that an outage left undecided: they become undelivered.
 * Only sources with `onOutage: 'dead-letter'` ask for this, and their models are then not paused. A
 * failure of class `stop` is an outage at once. A `transient` failure is an outage once the
 * message's receives are used up. Throttling is never an outage, nor is a model that answers other
 * dimensions.
 */
export function recordOutage(ports: EmbedPorts, record: QueueRecord, settlement: Settlement): Settlement {
  const { space, plan, purchase } = settlement;
  const { ended } = purchase;
  if (space.source.onOutage !== 'dead-letter' || ended === undefined) return settlement;
  if (!isOutage(ended, record.receiveCount >= ports.limits.maxReceiveCount - 1)) return settlement;
  const results = new Map<number, TextResult>(purchase.results);
  for (const position of plan.toBuy.keys())
    if (!results.has(position)) results.set(position, { kind: 'undelivered', code: ended.code });
  const texts = results.size - purchase.results.size;
  const { failureClass, code } = ended;
  ports.metrics.count('UndeliveredTexts', texts);
  ports.logger.error('outage-recorded', { spaceId: space.spaceId, texts, failureClass, code });
  return { ...settlement, purchase: { ...purchase, results, ended: undefined } };
}

function isOutage({ failureClass, code }: FreshetError, lastReceive: boolean): boolean {
  if (failureClass === 'stop') return code !== 'wrong_dimensions';
  return failureClass === 'transient' && lastReceive && code !== 'call_budget' && code !== 'out_of_time';
}
