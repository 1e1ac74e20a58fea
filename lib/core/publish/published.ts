/**
 * Counts of a publication.
 * `missingFiles` and `missingBytes` count what the bucket did not have before.
 */
export interface Published {
  readonly files: number;
  readonly bytes: number;
  readonly missingFiles: number;
  readonly missingBytes: number;
}
