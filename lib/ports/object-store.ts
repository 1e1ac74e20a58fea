/**
 * Where results wait for the writer.
 * A key belongs to one attempt, so that an object never changes after its first put.
 * @throws FreshetError from every method.
 */
export interface ObjectStore {
  /**
   * True: objects never leave the memory of this process.
   * Nothing can then change or cut an object, and nobody needs to prove that it is whole. `put`
   * does not copy the body: the caller must not change the body afterwards.
   */
  readonly sealed?: true | undefined;
  put(key: string, body: Buffer): Promise<void>;
  /**
   * The body of an object; undefined: there is no such object, or it has expired.
   * The body may be the store's own: the caller must not change it.
   */
  get(key: string): Promise<Buffer | undefined>;
}
