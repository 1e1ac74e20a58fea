import { OPERATOR_PAUSE } from '../../core/model/operator-pause.ts';
import type { PauseAnswer } from '../../ports/operator.ts';
import { badRequest } from './bad-request.ts';
import type { OperatePorts } from './operate-ports.ts';
import { readPauses } from './report-status.ts';

export async function pauseScope(
  ports: OperatePorts,
  { scope, detail }: { readonly scope: string; readonly detail: string },
): Promise<PauseAnswer> {
  await requireScope(ports, scope);
  const held = await isHeld(ports, scope);
  await ports.control.pause(scope, OPERATOR_PAUSE, detail);
  ports.logger.warn('paused-by-operator', { scope });
  return { changed: !held, paused: await readPauses(ports.control) };
}

/** Clears the operator's own reason: what a provider or the budget set still holds. */
export async function resumeScope(
  ports: OperatePorts,
  { scope }: { readonly scope: string },
): Promise<PauseAnswer> {
  const held = await isHeld(ports, scope);
  if (!held) await requireScope(ports, scope);
  await ports.control.resume(scope, OPERATOR_PAUSE);
  if (held) ports.logger.info('resumed-by-operator', { scope });
  return { changed: held, paused: await readPauses(ports.control) };
}

async function isHeld({ control }: OperatePorts, scope: string): Promise<boolean> {
  return (await control.reasons(scope)).some(({ reason }) => reason === OPERATOR_PAUSE);
}

/** A mistyped name would pause nothing and look as if it did. */
async function requireScope({ spaces }: OperatePorts, scope: string): Promise<void> {
  const known = new Set(['pipeline']);
  for (const { source, model } of await spaces.list())
    known.add(`source:${source.name}`).add(`model:${model.alias}`);
  if (!known.has(scope))
    throw badRequest(`There is nothing of that name to pause; there are: ${[...known].join(', ')}.`);
}
