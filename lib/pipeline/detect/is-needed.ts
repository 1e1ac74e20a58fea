import type { Space } from '../../core/model/space.ts';
import type { ControlStore } from '../../ports/control-store.ts';

/**
 * Whether a space is worked on now.
 * A fallback is worked on only while a failure of its provider pauses a model in whose place the
 * fallback stands. Every other space is always worked on.
 */
export async function isNeeded(control: ControlStore, space: Space): Promise<boolean> {
  if (space.fallbackFor === undefined) return true;
  const scopes = new Set(space.fallbackFor.map(alias => `model:${alias}`));
  const reasons = await control.reasons();
  return reasons.some(({ scope, reason }) => scopes.has(scope) && reason.startsWith('provider:'));
}
