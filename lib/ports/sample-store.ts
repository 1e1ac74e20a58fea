import type { Coverage } from './report-store.ts';

/** One entry of the bundled sample, which becomes a row of the example table. */
export interface SampleItem {
  readonly title: string;
  readonly summary: string;
  readonly tags: readonly string[];
}

/**
 * The application's side of the example database.
 * The store makes what a deployment with an example database needs, and edits its rows.
 */
export interface SampleStore {
  /**
   * Makes the pipeline's role with exactly its rights, and the table where it is missing.
   * Repeating the call changes nothing. `created` says whether the table was missing.
   */
  load(items: readonly SampleItem[]): Promise<{ readonly rows: number; readonly created: boolean }>;
  /** Inserts a row with this title, and resolves with its id. */
  insert(title: string): Promise<string>;
  /** Changes the title of a row; false: there is no such row. */
  edit(id: string, title: string): Promise<boolean>;
  /** The coverage of each space; empty before the pipeline's first migration. */
  readCoverage(): Promise<readonly Coverage[]>;
}
