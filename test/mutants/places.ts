interface Place {
  /** As the table of docs/reliability.md calls it. */
  readonly name: string;
  /** Whether it needs DATABASE_URL. */
  readonly needsServer: boolean;
  /** Test files; none for the simulation and for the histories, which have scripts of their own. */
  readonly suites: readonly string[];
}

/**
 * Where mutants are tried: the simulation holds decisions, PostgreSQL (against the twin) statements,
 * and tests what neither of them has.
 */
export const PLACES = {
  simulation: { name: 'simulation', needsServer: false, suites: [] },
  postgres: { name: 'PostgreSQL', needsServer: true, suites: [] },
  // What the simulation leaves out of a run on one machine.
  'local-run': {
    name: 'tests of the local run',
    needsServer: false,
    suites: [
      'test/core/dispatch/batch-tier.test.ts',
      'test/pipeline/doubtful-answers.test.ts',
      'test/pipeline/ending-run.test.ts',
      'test/pipeline/fair-turns.test.ts',
      'test/pipeline/half-vectors.test.ts',
      'test/pipeline/look-ahead.test.ts',
      'test/pipeline/remember-for-round.test.ts',
      'test/pipeline/slow-server.test.ts',
      'test/pipeline/starving-calls.test.ts',
      'test/pipeline/turns-behind-crowd.test.ts',
      'test/pipeline/unreadable-replies.test.ts',
    ],
  },
  // What happens to the neighbours of a row that the database refuses to write or to look at.
  'bad-row': {
    name: 'tests of one bad row, on PostgreSQL',
    needsServer: true,
    suites: ['test/database/one-bad-row.test.ts', 'test/database/one-bad-look.test.ts'],
  },
  // What keeps a bill within its caps, and calls within what a provider allows a minute.
  limits: {
    name: 'tests of caps and rates, on PostgreSQL',
    needsServer: true,
    suites: [
      'test/database/caps.test.ts',
      'test/database/necessary-spending.test.ts',
      'test/database/query-ledger.test.ts',
      'test/database/rates.test.ts',
      'test/pipeline/bills-above-estimates.test.ts',
      'test/pipeline/edits-of-held-rows.test.ts',
      'test/pipeline/halved-limit.test.ts',
      'test/pipeline/rates.test.ts',
      'test/pipeline/refused-sizes.test.ts',
      'test/serve/queries.test.ts',
      'test/pipeline/guard-pipeline.test.ts',
      'test/pipeline/spending.test.ts',
    ],
  },
  batches: {
    name: 'histories of batches',
    needsServer: false,
    suites: ['test/batches/histories.test.ts', 'test/batches/late-upload.test.ts'],
  },
  // What a search shows to whom, and which tokens are let in.
  search: {
    name: 'tests of searches and tokens, on PostgreSQL',
    needsServer: true,
    suites: [
      'test/database/search-counting.test.ts',
      'test/database/search-function.test.ts',
      'test/database/keywords.test.ts',
      'test/database/search-words.test.ts',
      'test/database/search.test.ts',
      'test/serve/search.test.ts',
      'test/serve/tokens.test.ts',
    ],
  },
  // Who is let in by the API on AWS, and what it answers.
  api: {
    name: 'tests of the API on AWS, on PostgreSQL',
    needsServer: true,
    suites: [
      'test/functions/api.test.ts',
      'test/constructs/service-api.test.ts',
      'test/pipeline/nudged-looks.test.ts',
    ],
  },
  // What the service refuses, computes and says, and what its models are made of.
  service: {
    name: 'tests of the service and its models',
    needsServer: false,
    suites: [
      'test/adapters/local/local-provider.test.ts',
      'test/adapters/local/model-files.test.ts',
      'test/adapters/static/static-provider.test.ts',
      'test/core/reply/require-vectors.test.ts',
      'test/serve/answers.test.ts',
      'test/serve/embed-texts.test.ts',
      'test/serve/queue.test.ts',
      'test/serve/serve-command.test.ts',
      'test/serve/warm-up.test.ts',
    ],
  },
  // What tenants see of each other's texts, and what is left of one that was erased or is not kept.
  documents: {
    name: 'tests of texts of clients, on PostgreSQL',
    needsServer: true,
    suites: [
      'test/database/documents.test.ts',
      'test/database/search-jobs.test.ts',
      'test/postgres/erasing-documents.test.ts',
    ],
  },
} as const satisfies Readonly<Record<string, Place>>;
