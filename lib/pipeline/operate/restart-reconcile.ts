import type { OperateExchanges } from '../../ports/operator.ts';
import { chooseSpaces } from './choose-spaces.ts';
import type { OperatePorts } from './operate-ports.ts';

/** The reconcile pass goes on from the lowest key. It is the same pass: when it began, which is what orphans are judged by, does not change. */
export async function restartReconcile(
  ports: OperatePorts,
  request: OperateExchanges['backfill']['request'],
): Promise<OperateExchanges['backfill']['answer']> {
  const spaces = await chooseSpaces(ports.spaces, request);
  for (const space of spaces) {
    const { reconcileCursor } = await ports.detection.readPosition(space);
    if (reconcileCursor !== null) await ports.detection.writeReconcileCursor(space, null, false);
    ports.logger.info('backfill-by-operator', { spaceId: space.spaceId });
  }
  return { spaces: spaces.map(({ source, model }) => ({ source: source.name, model: model.alias })) };
}
