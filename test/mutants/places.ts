interface Place {
  /** As the table of docs/reliability.md calls it. */
  readonly name: string;
  /** Whether it needs DATABASE_URL. */
  readonly needsServer: boolean;
  /** What tries its mutants: a script of its own, or the test file that each mutant names. */
  readonly tries: 'seeds' | 'histories' | 'suites';
}

/**
 * Where mutants are tried: the simulation holds decisions, PostgreSQL (against the twin) statements,
 * and tests what neither of them has.
 */
export const PLACES = {
  simulation: { name: 'simulation', needsServer: false, tries: 'seeds' },
  postgres: { name: 'PostgreSQL', needsServer: true, tries: 'histories' },
  // What the simulation leaves out of a run on one machine.
  'local-run': { name: 'tests of the local run', needsServer: false, tries: 'suites' },
  // What happens to the neighbours of a row that the database refuses to write or to look at.
  'bad-row': { name: 'tests of one bad row, on PostgreSQL', needsServer: true, tries: 'suites' },
  // What keeps a bill within its caps, and calls within what a provider allows a minute.
  limits: { name: 'tests of caps and rates, on PostgreSQL', needsServer: true, tries: 'suites' },
  batches: { name: 'histories of batches', needsServer: false, tries: 'suites' },
  // What a search shows to whom, and which tokens are let in.
  search: { name: 'tests of searches and tokens, on PostgreSQL', needsServer: true, tries: 'suites' },
  // Who is let in by the API on AWS, and what it answers.
  api: { name: 'tests of the API on AWS, on PostgreSQL', needsServer: true, tries: 'suites' },
  // What the service refuses, computes and says, and what its models are made of.
  service: { name: 'tests of the service and its models', needsServer: false, tries: 'suites' },
  // What tenants see of each other's texts, and what is left of one that was erased or is not kept.
  documents: { name: 'tests of texts of clients, on PostgreSQL', needsServer: true, tries: 'suites' },
} as const satisfies Readonly<Record<string, Place>>;
