import type { Mutant } from './mutant.ts';

export const LOCAL_RUN_MUTANTS: readonly Mutant[] = [
  {
    name: 'leased-rows-count-as-done',
    removes: 'starting over after a round of looking ahead that leased rows',
    file: 'lib/local/look-ahead.ts',
    changes: [['if (leasedRows > leasedBefore) startOver();', 'if (leasedRows < leasedBefore) startOver();']],
    dies: 'local-run',
  },
];
