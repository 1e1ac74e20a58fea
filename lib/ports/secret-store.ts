/** Secrets by their ARN. */
export interface SecretStore {
  /**
   * The secret's string. Cached for at most five minutes; `fresh` goes past the cache, for when what it opened was just refused.
   * Rejects with `FreshetError` only, which never holds the value.
   */
  read(secretArn: string, options?: { readonly fresh: boolean }): Promise<string>;
}
