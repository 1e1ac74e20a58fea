/** Secrets by their ARN. */
export interface SecretStore {
  /**
   * Reads the string of a secret, which is cached for at most five minutes.
   * `fresh` goes past the cache, for a caller whom the cached value did not let in.
   * @throws FreshetError, and nothing else. The error never holds the value.
   */
  read(secretArn: string, options?: { readonly fresh: boolean }): Promise<string>;
}
