import type { Space } from '../core/model/space.ts';

export interface SpaceRegistry {
  /** The spaces of the configuration that are `building` or `active`. */
  list(): Promise<readonly Space[]>;
  /** Undefined: unknown here or retired; its messages are dropped with a reason. */
  find(spaceId: number): Promise<Space | undefined>;
}
