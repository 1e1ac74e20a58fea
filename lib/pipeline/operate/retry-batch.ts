import { isFailureClass } from '../../core/report/failure-of-outcome.ts';
import type { OperateExchanges } from '../../ports/operator.ts';
import { chooseSpaces } from './choose-spaces.ts';
import type { OperatePorts } from './operate-ports.ts';

/** Makes failed rows stale again, up to the limit in each space. Rows that are stale already do not count. */
export async function retryBatch(
  ports: OperatePorts,
  request: OperateExchanges['retry']['request'],
): Promise<OperateExchanges['retry']['answer']> {
  const { cause, itemId, limit } = request;
  let rows = 0;
  let more = false;
  for (const space of await chooseSpaces(ports.spaces, { source: request.source })) {
    const retried = await ports.reports.retryFailures(space, {
      limit,
      ...(itemId === undefined ? {} : { itemId }),
      ...(cause === undefined ? {} : isFailureClass(cause) ? { failureClass: cause } : { code: cause }),
    });
    rows += retried;
    more ||= retried >= limit;
  }
  if (rows > 0) ports.logger.warn('retried-by-operator', { rows });
  return { rows, more };
}
