export interface DatabaseLogin {
  readonly user: string;
  readonly password: string;
}

/**
 * Who connects, asked before every new connection. `fresh` when the server refused what was given last: what is remembered is not
 * good any more. Rejects with `FreshetError`.
 */
export type ReadLogin = (options: { readonly fresh: boolean }) => Promise<DatabaseLogin>;
