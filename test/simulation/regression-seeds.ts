/**
 * Seeds that break an invariant where a defect of the past is put back, each with what it shows then. A fix adds its seed here.
 * They are found by the mutant that is named, not kept from the day of the finding: a change of what the simulation draws gives a seed another
 * history (those two that first showed a purchase after a pause were 177 and 296, and 296 shows it no longer). So what a defect must not do
 * again stands in a test of its own too, and after such a change the seeds are to be looked for again.
 */
export const REGRESSION_SEEDS: readonly { readonly seed: number; readonly showed: string }[] = [
  // pause-does-not-refuse
  { seed: 39, showed: 'A batch bought once more after its model, its source or everything had been paused.' },
  { seed: 177, showed: 'The same, with an operator’s pause of the source.' },
  // dropped-result-lifts-pause
  { seed: 46, showed: 'A result that was dropped lifted the pause of a database that takes no writes.' },
  // a-call-that-goes-on-gives-up
  {
    seed: 632,
    showed:
      'A message was given back between a call that failed and the next, and paid for the first for ever.',
  },
  // failure-forgotten
  {
    seed: 4_268,
    showed: 'Its share of tokens went to a call that failed each time, and the smaller call never got one.',
  },
  // without `keepMark` of settle-event-sources.ts
  { seed: 17_546, showed: 'Two guards at once left an event source closed and unmarked, for ever.' },
];
