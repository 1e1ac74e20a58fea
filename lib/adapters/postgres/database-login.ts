export interface DatabaseLogin {
  readonly user: string;
  readonly password: string;
}

/**
 * Reads who connects; asked before every new connection.
 * `fresh` is set when the server refused the login that was given last, so that a remembered login
 * is not given again.
 * @throws FreshetError and nothing else.
 */
export type ReadLogin = (options: { readonly fresh: boolean }) => Promise<DatabaseLogin>;
