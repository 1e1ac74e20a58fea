import type { Space } from '../../core/model/space.ts';
import type { ControlStore } from '../../ports/control-store.ts';

/** A fallback is worked on only while its provider's failure pauses a model in whose place it stands. Every other space always is. */
export async function isNeeded(control: ControlStore, space: Space): Promise<boolean> {
  if (space.fallbackFor === undefined) return true;
  const scopes = new Set(space.fallbackFor.map(alias => `model:${alias}`));
  const reasons = await control.reasons();
  return reasons.some(({ scope, reason }) => scopes.has(scope) && reason.startsWith('provider:'));
}
