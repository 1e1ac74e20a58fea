/** Seeds that once broke an invariant, each with the defect that it showed. A fix adds its seed here. */
export const REGRESSION_SEEDS: readonly { readonly seed: number; readonly showed: string }[] = [
  { seed: 177, showed: 'A batch went on buying after its model had been paused by another worker.' },
  { seed: 296, showed: 'The same, with an operator’s pause of the whole pipeline.' },
];
