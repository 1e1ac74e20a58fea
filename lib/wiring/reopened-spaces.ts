import type { Clock } from '../ports/clock.ts';
import type { SpaceRegistry } from '../ports/space-registry.ts';

/**
 * Milliseconds after which a retired or activated space is seen at the latest.
 * `migrate` retires and activates spaces.
 */
const MAX_AGE_MS = 300_000;
/**
 * The greatest age, in milliseconds, of a registry that an unknown space is looked for in.
 * A message can be of a space that was made a moment ago.
 */
const MAX_AGE_OF_UNKNOWN_MS = 10_000;

/**
 * The spaces as they were when they were last opened; opened anew as they grow old.
 * Everybody who asks while the spaces are being opened waits for the same opening.
 */
export function createReopenedSpaces(open: () => Promise<SpaceRegistry>, clock: Clock): SpaceRegistry {
  let current: { readonly registry: SpaceRegistry; readonly openedAtMs: number } | undefined;
  let opening: Promise<SpaceRegistry> | undefined;
  const reopen = async (): Promise<SpaceRegistry> => {
    const openedAtMs = clock.now();
    const registry = await open();
    current = { openedAtMs, registry };
    return registry;
  };
  const openedWithin = async (maxAgeMs: number): Promise<SpaceRegistry> => {
    const ageMs = current === undefined ? Number.POSITIVE_INFINITY : clock.now() - current.openedAtMs;
    // A clock that was set back makes an age negative: the spaces are opened anew then too.
    if (current !== undefined && ageMs >= 0 && ageMs <= maxAgeMs) return current.registry;
    opening ??= reopen().finally(() => {
      opening = undefined;
    });
    return opening;
  };
  return {
    list: async () => (await openedWithin(MAX_AGE_MS)).list(),
    async find(spaceId) {
      const known = await (await openedWithin(MAX_AGE_MS)).find(spaceId);
      return known ?? (await openedWithin(MAX_AGE_OF_UNKNOWN_MS)).find(spaceId);
    },
  };
}
