/** Where results wait for the writer. Keys are attempt-unique: an object never changes after its first put. */
export interface ObjectStore {
  put(key: string, body: Buffer): Promise<void>;
  /** Undefined when there is no such object (it expired, or never was). */
  get(key: string): Promise<Buffer | undefined>;
}
