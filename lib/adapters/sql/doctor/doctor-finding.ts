/** What one check of `freshet doctor` found. */
export interface DoctorFinding {
  /** Short and stable name of the check, such as `server`, `schema` or `updated-at-index`. */
  readonly check: string;
  readonly ok: boolean;
  readonly severity: 'error' | 'warning' | 'info';
  readonly message: string;
  /** SQL or a command that mends the finding, ready to be pasted. */
  readonly statement?: string | undefined;
}
