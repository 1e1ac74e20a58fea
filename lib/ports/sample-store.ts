import type { Coverage } from './report-store.ts';

export interface SampleItem {
  readonly title: string;
  readonly summary: string;
  readonly tags: readonly string[];
}

/** The application's side of the example database: what a deployment that has one needs, and what edits its rows. */
export interface SampleStore {
  /** Makes the pipeline's role with exactly its rights, and the table where it is missing. Idempotent. */
  load(items: readonly SampleItem[]): Promise<{ readonly rows: number; readonly created: boolean }>;
  /** Resolves with the id of the new row. */
  insert(title: string): Promise<string>;
  /** False: there is no such row. */
  edit(id: string, title: string): Promise<boolean>;
  /** Per space; empty before the pipeline's first migration. */
  readCoverage(): Promise<readonly Coverage[]>;
}
