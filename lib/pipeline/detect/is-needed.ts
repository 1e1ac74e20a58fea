import type { Space } from '../../core/model/space.ts';
import type { ControlStore } from '../../ports/control-store.ts';

/**
 * Whether a space is worked on now. Every space that is no fallback always is.
 * A fallback is worked on only while a model that it stands in for is paused by a failure of that
 * model's provider.
 */
export async function isNeeded(control: ControlStore, space: Space): Promise<boolean> {
  if (space.fallbackFor === undefined) return true;
  const scopes = new Set(space.fallbackFor.map(alias => `model:${alias}`));
  const reasons = await control.reasons();
  return reasons.some(({ scope, reason }) => scopes.has(scope) && reason.startsWith('provider:'));
}
