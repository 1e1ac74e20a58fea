import { randomUUID } from 'node:crypto';
import type { Randomness } from '../../ports/randomness.ts';

export function createSystemRandomness(): Randomness {
  return { fraction: () => Math.random(), identifier: () => randomUUID() };
}
