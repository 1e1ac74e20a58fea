import type { FreshetError } from '../../core/errors/freshet-error.ts';
import type { QueueRecord } from '../queue-record.ts';
import type { TextResult } from './buy-vectors.ts';
import type { Settlement } from './compose-result.ts';
import type { EmbedPorts } from './embed-ports.ts';

/**
 * Where the source says `onOutage: 'dead-letter'`: texts that an outage left undecided are decided as undelivered, and nothing is paused.
 * A `stop` is one at once, a `transient` failure once the message's receives are used up; throttling never is, nor is a model of other dimensions.
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
