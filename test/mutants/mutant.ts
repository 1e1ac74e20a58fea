import type { PLACES } from './places.ts';

/** One safety mechanism taken out of the product. */
export interface Mutant {
  readonly name: string;
  /** What the product no longer does. */
  readonly removes: string;
  readonly file: string;
  /** Each text stands exactly once in the file, or the mutant no longer applies and is to be brought up to date. */
  readonly changes: readonly (readonly [find: string, replacement: string])[];
  /** Where it is tried, and has to be noticed. */
  readonly dies: keyof typeof PLACES;
  /** The test file that has to notice it, from the root. None in the simulation and in histories, which are no such file. */
  readonly suite?: string;
}
