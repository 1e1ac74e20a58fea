/** Where results wait for the writer. Keys are attempt-unique: an object never changes after its first put. */
export interface ObjectStore {
  /**
   * Set where objects never leave this process's memory: then there is no way on which one could be changed or cut, and no need to prove it whole.
   * A body that is put there is not copied: it must be left as it is from then on.
   */
  readonly sealed?: true | undefined;
  put(key: string, body: Buffer): Promise<void>;
  /** Undefined when there is no such object (it expired, or never was). The body may be the store's own: it must be left as it is. */
  get(key: string): Promise<Buffer | undefined>;
}
