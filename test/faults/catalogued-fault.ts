import type { InvariantName } from '../simulation/invariants.ts';

/** A test by its file under `test` and by words of its title (or of the comment over its cases), or what the simulation holds. */
export type Evidence =
  | { readonly file: string; readonly title: string }
  | { readonly invariant: InvariantName }
  | { readonly mutant: string };

export interface CataloguedFault {
  readonly number: number;
  readonly fault: string;
  readonly shownBy?: readonly Evidence[];
  /** What of it nothing shows, and why. */
  readonly deferred?: string;
}
