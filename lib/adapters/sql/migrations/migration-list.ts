import { migration0001Schema } from './migration-0001-schema.ts';
import { migration0002GoldenVectors } from './migration-0002-golden-vectors.ts';
import { migration0003Schedules } from './migration-0003-schedules.ts';

export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly statements: readonly string[];
}

/**
 * Every migration in the order of its version, without gaps.
 * A migration that was released is never changed.
 */
export const MIGRATIONS: readonly Migration[] = [
  migration0001Schema,
  migration0002GoldenVectors,
  migration0003Schedules,
];
