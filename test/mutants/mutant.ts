/** One safety mechanism taken out of the product. */
export interface Mutant {
  readonly name: string;
  /** What the product no longer does. */
  readonly removes: string;
  readonly file: string;
  /** Each text stands exactly once in the file, or the mutant no longer applies and is to be brought up to date. */
  readonly changes: readonly (readonly [find: string, replacement: string])[];
  /** The simulation holds decisions, PostgreSQL (against the twin) statements, tests the local run, which is not simulated, one bad row, searches, the API on AWS, the service and its models, texts of clients, and what money hangs on: caps, rates and batches. */
  readonly dies:
    | 'simulation'
    | 'postgres'
    | 'local-run'
    | 'bad-row'
    | 'limits'
    | 'batches'
    | 'search'
    | 'api'
    | 'service'
    | 'documents';
}
