import type { Space } from '../core/model/space.ts';

/** The spaces that steps work on, by the configuration and the database. */
export interface SpaceRegistry {
  /** The spaces of the configuration that are `building` or `active`. */
  list(): Promise<readonly Space[]>;
  /**
   * The space with this id; undefined: the space is unknown here or retired.
   * Messages of an unknown or retired space are dropped with a reason.
   */
  find(spaceId: number): Promise<Space | undefined>;
}
