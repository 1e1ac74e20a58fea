export interface DoctorFinding {
  /** Short and stable: `server`, `pgvector`, `schema`, `source`, `updated-at-index`, `transactions`, … */
  readonly check: string;
  readonly ok: boolean;
  readonly severity: 'error' | 'warning' | 'info';
  readonly message: string;
  /** What mends it, to be pasted. */
  readonly statement?: string | undefined;
}
