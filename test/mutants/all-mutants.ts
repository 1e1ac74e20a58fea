import { API_MUTANTS } from './api-mutants.ts';
import { BAD_ROW_MUTANTS } from './bad-row-mutants.ts';
import { BATCH_MUTANTS } from './batch-mutants.ts';
import { DOCUMENT_MUTANTS } from './document-mutants.ts';
import { LANE_MUTANTS } from './lane-mutants.ts';
import { LIMIT_MUTANTS } from './limit-mutants.ts';
import { LOCAL_RUN_MUTANTS } from './local-run-mutants.ts';
import type { Mutant } from './mutant.ts';
import { PIPELINE_MUTANTS } from './pipeline-mutants.ts';
import { SEARCH_MUTANTS } from './search-mutants.ts';
import { SERVICE_MUTANTS } from './service-mutants.ts';
import { STATEMENT_MUTANTS } from './statement-mutants.ts';

/** Every mutant, in the order in which they are tried. */
export const ALL_MUTANTS: readonly Mutant[] = [
  ...PIPELINE_MUTANTS,
  ...LOCAL_RUN_MUTANTS,
  ...BAD_ROW_MUTANTS,
  ...LIMIT_MUTANTS,
  ...BATCH_MUTANTS,
  ...LANE_MUTANTS,
  ...SEARCH_MUTANTS,
  ...API_MUTANTS,
  ...SERVICE_MUTANTS,
  ...DOCUMENT_MUTANTS,
  ...STATEMENT_MUTANTS,
];
