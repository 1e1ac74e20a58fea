import type { OperateExchanges, OutcomeSelection, SpaceResetPlan } from '../../ports/operator.ts';
import { badRequest } from './bad-request.ts';
import { chooseSpaces } from './choose-spaces.ts';
import type { OperatePorts } from './operate-ports.ts';

export async function planReset(
  ports: OperatePorts,
  selection: OutcomeSelection,
): Promise<{ readonly spaces: readonly SpaceResetPlan[] }> {
  const spaces: SpaceResetPlan[] = [];
  for (const space of await chooseSpaces(ports.spaces, selection)) {
    const plan = await ports.resets.plan(space, selection);
    spaces.push({
      source: space.source.name,
      model: space.model.alias,
      ...plan,
      costUsd: (plan.tokens * space.model.usdPerMillionTokens) / 1_000_000,
    });
  }
  return { spaces };
}

/** One batch of one space, and where the next one begins. A request that is repeated finds its rows reset already and counts none twice. */
export async function resetBatch(
  ports: OperatePorts,
  request: OperateExchanges['reset']['request'],
): Promise<OperateExchanges['reset']['answer']> {
  const chosen = await chooseSpaces(ports.spaces, request);
  const cursor = request.cursor ?? { spaceId: chosen[0]!.spaceId, after: null };
  const place = chosen.findIndex(space => space.spaceId === cursor.spaceId);
  const space = chosen[place];
  if (space === undefined) throw badRequest('The cursor is of another selection: begin again without one.');
  const { rows, cursor: after } = await ports.resets.reset(space, request, {
    after: cursor.after,
    limit: request.limit,
  });
  if (rows > 0) ports.logger.warn('reset-by-operator', { spaceId: space.spaceId, rows });
  if (after !== null) return { rows, cursor: { spaceId: space.spaceId, after } };
  const next = chosen[place + 1];
  return { rows, cursor: next === undefined ? null : { spaceId: next.spaceId, after: null } };
}
