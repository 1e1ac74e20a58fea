/**
 * Seeds that once broke an invariant, each with the defect that it showed. A fix adds its seed here.
 * A change of what the simulation draws gives a seed another history: what a defect must not do again stands in a test of its own too.
 */
export const REGRESSION_SEEDS: readonly { readonly seed: number; readonly showed: string }[] = [
  { seed: 177, showed: 'A batch went on buying after its model had been paused by another worker.' },
  { seed: 296, showed: 'The same, with an operator’s pause of the whole pipeline.' },
];
