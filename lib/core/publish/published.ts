/** Counts of a publication. `missing…`: what was not there before. */
export interface Published {
  readonly files: number;
  readonly bytes: number;
  readonly missingFiles: number;
  readonly missingBytes: number;
}
